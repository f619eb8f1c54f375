// SPDX-License-Identifier: Apache-2.0
// capture.tar.zst: a pax archive compressed with zstd, encrypted if there are recipients, hashed while it
// is written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/fs.h"
#include "base/result.h"
#include "capture/cms.h"

struct archive;

namespace ffdc {

class ArchiveWriter {
 public:
  // The file must not exist yet. encrypt_to: certificates (DER); none: not encrypted.
  static Result<std::unique_ptr<ArchiveWriter>> Create(const std::string& path,
                                                       const std::vector<std::string>& encrypt_to);
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  ~ArchiveWriter();

  // Adds the regular file open for reading, from its beginning; returns what went in. `source` is for the
  // error's text.
  Result<Digest> Add(const std::string& name, const Fd& file, const std::string& source);
  // Completes the archive and fsyncs it; returns all sums of it.
  Result<Digest> Finish();

 private:
  ArchiveWriter(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<> Open();
  [[nodiscard]] Unexpected Failed(const std::string& what) const;
  Result<Digest> Copy(int source_fd, uint64_t size_bytes, const std::string& source);
  Result<> Write(std::string_view bytes);
  Result<> WriteOut(std::string_view bytes);
  static ssize_t Emit(struct archive* archive, void* self, const void* data, size_t size);

  Fd fd_;
  std::string path_;
  struct archive* archive_ = nullptr;
  std::unique_ptr<CmsEncryptor> encryptor_;
  Sha256 sha256_;
  Xxh3 xxh3_;
  uint64_t bytes_ = 0;
};

}  // namespace ffdc
