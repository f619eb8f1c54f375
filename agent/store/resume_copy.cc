// SPDX-License-Identifier: Apache-2.0
#include "store/resume_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/crash_point.h"
#include "base/progress.h"
#include "store/file_source.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCopyChunkBytes = 256u << 10;
// Dirty pages of so much at most wait to be written, so that a slow store shows itself here, bit by bit,
// and not in one fsync that takes minutes.
constexpr off_t kWindowBytes = 8u << 20;

// Up to `size` bytes, fewer at the end only.
Result<size_t> ReadFull(ByteSource& source, char* buffer, size_t size) {
  size_t got = 0;
  while (got < size) {
    FFDC_ASSIGN(const size_t more, source.Read(buffer + got, size - got));
    if (more == 0) break;
    got += more;
  }
  return got;
}

// How many bytes of the target are the source's.
Result<uint64_t> CommonBytes(const fs::path& from, const fs::path& to) {
  FFDC_ASSIGN(const auto source, FileSource::Open(from));
  FFDC_ASSIGN(const auto target, FileSource::Open(to, Freshness::kFromDisk));
  std::string ours(kCopyChunkBytes, '\0');
  std::string theirs(kCopyChunkBytes, '\0');
  for (uint64_t common = 0;;) {
    FFDC_ASSIGN(const size_t size, ReadFull(*source, ours.data(), ours.size()));
    FFDC_ASSIGN(const size_t stored, ReadFull(*target, theirs.data(), theirs.size()));
    const auto end = ours.begin() + static_cast<ptrdiff_t>(std::min(size, stored));
    const auto differs = std::mismatch(ours.begin(), end, theirs.begin()).first;
    common += static_cast<uint64_t>(differs - ours.begin());
    if (differs != end || size < ours.size() || stored < theirs.size()) return common;
  }
}

// Hands what was written to the disk or server, and waits for what lies a window behind.
Result<> KeepWindow(int fd, off_t begin, off_t end, const fs::path& to) {
  // ESPIPE, EINVAL: not on this filesystem; then the fsync at the end does all of it.
  const bool asked = sync_file_range(fd, begin, end - begin, SYNC_FILE_RANGE_WRITE) == 0;
  const off_t settled = end - kWindowBytes;
  if (!asked || settled <= 0) return {};
  constexpr unsigned kAllOfIt =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  const off_t from = std::max<off_t>(0, settled - (end - begin));
  if (sync_file_range(fd, from, settled - from, kAllOfIt) != 0)
    return FailErrno("cannot write " + to.string());
  return {};
}

Result<> CopyFrom(uint64_t offset, const fs::path& from, int fd, const fs::path& to, Transfer& transfer) {
  const Fd source(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.valid()) return FailErrno("cannot open " + from.string());
  auto position = static_cast<off_t>(offset);
  if (lseek(source.get(), position, SEEK_SET) < 0 || lseek(fd, position, SEEK_SET) < 0)
    return FailErrno("cannot go on with " + to.string());
  std::string chunk(kCopyChunkBytes, '\0');
  for (;;) {
    FFDC_ASSIGN(const size_t got, ReadSome(source.get(), chunk.data(), chunk.size(), from.string()));
    if (got == 0) return {};
    FFDC_TRY(WriteAll(fd, std::string_view(chunk).substr(0, got), to.string()));
    const off_t begin = position;
    position += static_cast<off_t>(got);
    FFDC_TRY(KeepWindow(fd, begin, position, to));
    ReportProgress();
    transfer.Sent(got);
    CrashPoint("ship.half_copied");
  }
}

}  // namespace

Result<> ResumeCopy(const fs::path& from, const fs::path& to, Transfer& transfer) {
  const Fd target(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!target.valid()) return FailErrno("cannot create " + to.string());
  struct stat info {};
  if (fstat(target.get(), &info) != 0) return FailErrno("cannot look at " + to.string());
  uint64_t common = 0;
  if (info.st_size != 0) {
    FFDC_ASSIGN(common, CommonBytes(from, to));
    if (common < static_cast<uint64_t>(info.st_size) &&
        ftruncate(target.get(), static_cast<off_t>(common)) != 0)
      return FailErrno("cannot cut " + to.string());
  }
  FFDC_TRY(CopyFrom(common, from, target.get(), to, transfer));
  if (fsync(target.get()) != 0) return FailErrno("cannot fsync " + to.string());
  ReportProgress();
  return {};
}

}  // namespace ffdc
