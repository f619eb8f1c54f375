// SPDX-License-Identifier: Apache-2.0
// Between the agent's loop, which must never wait, and one client that watches
// events and may read slowly.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "ffdc/v1/incident.pb.h"

namespace ffdc::control {

class EventQueue {
 public:
  explicit EventQueue(size_t capacity) : capacity_(capacity) {}

  // Never waits: what does not fit is dropped and counted.
  void Push(const v1::Event& event) {
    {
      const std::lock_guard lock(mutex_);
      if (events_.size() >= capacity_) {
        ++dropped_;
        return;
      }
      events_.push_back(event);
    }
    ready_.notify_one();
  }

  // The next event, or nothing after `wait`.
  std::optional<v1::Event> Pop(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, wait, [this] { return !events_.empty(); })) return std::nullopt;
    v1::Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  // Events dropped since the last call.
  uint64_t TakeDropped() {
    const std::lock_guard lock(mutex_);
    return std::exchange(dropped_, 0);
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<v1::Event> events_;
  uint64_t dropped_ = 0;
};

}  // namespace ffdc::control
