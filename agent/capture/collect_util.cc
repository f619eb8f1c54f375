// SPDX-License-Identifier: Apache-2.0
#include "capture/collect_util.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fs.h"

namespace ffdc {
namespace fs = std::filesystem;

void AddNote(CollectContext& context, std::string what, std::string detail) {
  context.AddLoss(std::move(what), 0, std::move(detail));
}

JobClock::JobClock(const v1::CaptureJob& job)
    : realtime_ns_(job.manifest().clock().realtime_ns()),
      monotonic_ns_(job.manifest().clock().monotonic_ns()) {
  if (realtime_ns_ == 0) {
    const ClockMoment now = SystemClock().ReadTogether();
    realtime_ns_ = now.realtime_ns;
    monotonic_ns_ = now.monotonic_ns;
  }
}

Result<> ForEachLine(const fs::path& path, const std::function<bool(std::string_view)>& sink,
                     size_t max_line_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return FailErrno("cannot open " + path.string());
  std::string pending;
  std::array<char, 64u << 10> chunk;
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("cannot read " + path.string());
    if (got == 0) break;
    pending.append(chunk.data(), static_cast<size_t>(got));
    size_t start = 0;
    for (size_t end; (end = pending.find('\n', start)) != std::string::npos; start = end + 1) {
      if (!sink(std::string_view(pending).substr(start, end - start))) return {};
    }
    pending.erase(0, start);
    if (pending.size() >= max_line_bytes) {
      if (!sink(pending)) return {};
      pending.clear();
    }
  }
  if (!pending.empty()) sink(pending);
  return {};
}

std::vector<std::string> FolderEntries(const fs::path& path) {
  auto names = ListFolder(path);
  return names ? std::move(*names) : std::vector<std::string>();
}

}  // namespace ffdc
