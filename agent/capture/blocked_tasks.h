// SPDX-License-Identifier: Apache-2.0
// Tasks as /proc shows them, for the collectors blocked_tasks and io_processes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "capture/collect_util.h"

namespace ffdc {

struct TaskStat {
  uint32_t pid = 0;
  std::string comm;  // the process's own bytes
  uint32_t ppid = 0;
  char state = '?';
  uint64_t start_ticks = 0;
  uint64_t blkio_delay_ticks = 0;  // 0 while kernel.task_delayacct is off
};
// /proc/PID/stat or /proc/PID/task/TID/stat.
std::optional<TaskStat> ParseTaskStat(std::string_view text);

// The fallback where there is no task iterator: every task in D state under `proc`.
Result<> ScanBlockedTasks(const std::filesystem::path& proc, CaptureFile& file);

Result<> CollectBlockedTasks(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
