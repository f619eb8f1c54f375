// SPDX-License-Identifier: Apache-2.0
#include "capture/collect_util.h"

#include "base/fs.h"

namespace ffdc {
namespace fs = std::filesystem;

void AddNote(CollectContext& context, std::string what, std::string detail) {
  context.AddLoss(std::move(what), 0, std::move(detail));
}

ClockMoment JobClock(const v1::CaptureJob& job) {
  const auto& clock = job.manifest().clock();
  if (clock.realtime_ns() == 0) return SystemClock().ReadTogether();
  return {.realtime_ns = clock.realtime_ns(), .monotonic_ns = clock.monotonic_ns()};
}

std::vector<std::string> FolderEntries(const fs::path& path) {
  auto names = ListFolder(path);
  return names ? std::move(*names) : std::vector<std::string>();
}

}  // namespace ffdc
