// SPDX-License-Identifier: Apache-2.0
// Tasks in uninterruptible sleep, as the BPF task iterator (bpf/blocked_tasks.bpf.c)
// tells of them: the only witness that sees every kind of stall.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ffdc {

struct BlockedTask {
  uint32_t pid = 0;  // thread id
  uint32_t tgid = 0;
  uint32_t ppid = 0;
  uint32_t state = 0;             // task_struct.__state
  uint64_t start_ns = 0;          // CLOCK_BOOTTIME: with pid, who it is
  uint64_t switches = 0;          // context switches so far: unchanged means still the same wait
  uint64_t cgroup_id = 0;         // that its I/O is charged to
  uint32_t cgroup_hierarchy = 0;  // 0 = cgroup v2, else the id of the v1 hierarchy
  uint32_t file_dev =
      0;  // of the file the system call is about: the disk itself, or its filesystem's; 0: unknown
  std::string file_system;          // its filesystem's type: "ext4", "nfs4"; "bdev" for a disk itself
  std::string comm;                 // the task's own bytes
  std::vector<std::string> frames;  // "submit_bio_wait+0x5a/0x90", innermost first
};

// Text of the iterator -> tasks. What is not understood is left out.
std::vector<BlockedTask> ParseBlockedTasks(std::string_view text);

}  // namespace ffdc
