// SPDX-License-Identifier: Apache-2.0
// capture.tar.zst: a pax archive compressed with zstd, hashed while it is written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/fs.h"
#include "base/result.h"

struct archive;

namespace ffdc {

class ArchiveWriter {
 public:
  // The file must not exist yet.
  static Result<std::unique_ptr<ArchiveWriter>> Create(const std::string& path);
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  ~ArchiveWriter();

  // Adds the regular file at `source`; returns what went in.
  Result<Digest> Add(const std::string& name, const std::string& source);
  // Completes the archive and fsyncs it.
  Result<Digest> Finish();

 private:
  ArchiveWriter(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<> Open();
  [[nodiscard]] Unexpected Failed(const std::string& what) const;
  Result<Digest> Copy(int source_fd, uint64_t size_bytes, const std::string& source);
  static ssize_t Emit(struct archive* archive, void* self, const void* data, size_t size);

  Fd fd_;
  std::string path_;
  struct archive* archive_ = nullptr;
  Sha256 digest_;
  uint64_t bytes_ = 0;
};

}  // namespace ffdc
