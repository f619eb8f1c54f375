// SPDX-License-Identifier: Apache-2.0
#include "store/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/progress.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr size_t kChunkBytes = 256u << 10;

}  // namespace

Result<std::unique_ptr<ByteSource>> FileSource::Open(const fs::path& path, Freshness freshness) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return FailErrno("cannot open " + path.string());
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return FailErrno("cannot look at " + path.string());
  if (!S_ISREG(info.st_mode)) return Fail(path.string() + " is not a regular file", EINVAL);
  if (freshness == Freshness::kFromDisk) posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return std::unique_ptr<ByteSource>(
      new FileSource(std::move(fd), path.string(), static_cast<uint64_t>(info.st_size)));
}

Result<size_t> FileSource::Read(char* buffer, size_t size) {
  ReportProgress();
  return ReadSome(fd_.get(), buffer, size, path_);
}

Result<std::string> ReadText(ByteSource& source, size_t max_bytes) {
  std::string text;
  std::string chunk(std::min(kChunkBytes, max_bytes), '\0');
  while (text.size() < max_bytes) {
    FFDC_ASSIGN(const size_t got, source.Read(chunk.data(), std::min(chunk.size(), max_bytes - text.size())));
    if (got == 0) break;
    text.append(chunk, 0, got);
  }
  return text;
}

Result<std::string> ReadText(const std::filesystem::path& path) {
  FFDC_ASSIGN(const auto source, FileSource::Open(path));
  return ReadText(*source);
}

}  // namespace ffdc
