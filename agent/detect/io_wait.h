// SPDX-License-Identifier: Apache-2.0
// What a task in uninterruptible sleep waits for, told from its kernel stack, and
// how an event names those who wait.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/blocked_tasks.h"
#include "detect/detector.h"

namespace ffdc {

struct TaskWait {
  bool is_io = false;    // for a disk; not for a lock, a network filesystem or an order to wait
  std::string function;  // the kernel function that tells; empty: no stack
};
// frames: innermost first.
TaskWait ClassifyWait(const std::vector<std::string>& frames);

struct WaitingTask {
  const BlockedTask* task = nullptr;
  TaskWait wait;
  uint64_t waiting_ns = 0;
};
// Sets the event's waiters (the longest waiting, at most 32) and clients.
void SetWaiters(v1::Event& event, std::vector<WaitingTask> tasks, const DetectorWorld& world);

// Valid UTF-8 for the bytes that a task chose as its name.
std::string TaskName(const std::string& comm);

}  // namespace ffdc
