// SPDX-License-Identifier: Apache-2.0
// When a store that fails is lost, and when it is back: once an outage. Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/store_state.h"

namespace ffdc {

class StoreHealth {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
  // A server that restarts is not lost.
  static constexpr std::chrono::seconds kPatience{5};

  StoreHealth(std::string url, std::function<void(const StoreState&)> changed)
      : url_(std::move(url)), changed_(std::move(changed)) {}

  // It was looked at, and is there.
  void Reached() {
    failing_ = false;
    if (!lost_) return;
    lost_ = false;
    Tell({}, Clock::now());
  }
  // It could not be reached, or not be written to. since: when this try began.
  void Failed(Clock::time_point since, bool hung, const std::string& problem) {
    if (!failing_) since_ = since;
    failing_ = true;
    if (lost_ || (!hung && Clock::now() - since_ < kPatience)) return;
    lost_ = true;
    Tell(problem, since_);
  }
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  void Tell(const std::string& problem, Clock::time_point since) const {
    const auto since_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(since.time_since_epoch());
    changed_({url_, lost_, problem, static_cast<uint64_t>(since_ns.count())});
  }

  std::string url_;
  std::function<void(const StoreState&)> changed_;
  bool failing_ = false;
  bool lost_ = false;
  Clock::time_point since_;
};

}  // namespace ffdc
