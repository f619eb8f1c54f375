// SPDX-License-Identifier: Apache-2.0
// Counts what other threads still have to end, so that whoever started it can wait for them before it goes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace ffdc {

class Outstanding {
 public:
  void Begin() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  // The last thing that the other thread does with whatever is waited for.
  void End() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  // False: some have not ended within the limit.
  [[nodiscard]] bool WaitNone(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return none_.wait_for(lock, limit, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_ = 0;
};

}  // namespace ffdc
