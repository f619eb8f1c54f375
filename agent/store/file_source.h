// SPDX-License-Identifier: Apache-2.0
// Files and folders on a file system that may hang: in workers only.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/fs.h"
#include "store/driver.h"

namespace ffdc {

enum class Freshness { kCached, kFromDisk };

class FileSource final : public ByteSource {
 public:
  // A regular file; never waits for a FIFO or follows a link. kFromDisk: what the kernel has cached of
  // it is dropped before.
  static Result<std::unique_ptr<ByteSource>> Open(const std::filesystem::path& path,
                                                  Freshness freshness = Freshness::kCached);
  [[nodiscard]] uint64_t size_bytes() const override { return size_bytes_; }
  Result<size_t> Read(char* buffer, size_t size) override;

 private:
  FileSource(Fd fd, std::string path, uint64_t size_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), size_bytes_(size_bytes) {}

  Fd fd_;
  std::string path_;
  uint64_t size_bytes_;
};

// All of it, at most max_bytes.
Result<std::string> ReadText(ByteSource& source, size_t max_bytes = 64u << 20);

Result<std::string> ReadText(const std::filesystem::path& path);

}  // namespace ffdc
