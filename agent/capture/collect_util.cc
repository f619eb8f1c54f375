// SPDX-License-Identifier: Apache-2.0
#include "capture/collect_util.h"

#include "base/clock.h"
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

std::vector<std::string> FolderEntries(const fs::path& path) {
  auto names = ListFolder(path);
  return names ? std::move(*names) : std::vector<std::string>();
}

}  // namespace ffdc
