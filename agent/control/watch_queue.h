// SPDX-License-Identifier: Apache-2.0
// Between the agent's loop, which must never wait, and one client that watches
// what happens and may read slowly.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace ffdc::control {

template <class Item>
class WatchQueue {
 public:
  explicit WatchQueue(size_t capacity) : capacity_(capacity) {}

  // Never waits: what does not fit is dropped and counted.
  void Push(const Item& item) {
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() >= capacity_) {
        ++dropped_;
        return;
      }
      items_.push_back(item);
    }
    ready_.notify_one();
  }

  // The next, or nothing after `wait`.
  std::optional<Item> Pop(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, wait, [this] { return !items_.empty(); })) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Dropped since the last call.
  uint64_t TakeDropped() {
    const std::lock_guard lock(mutex_);
    return std::exchange(dropped_, 0);
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Item> items_;
  uint64_t dropped_ = 0;
};

}  // namespace ffdc::control
