// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include "base/progress.h"
#include "store/driver.h"

namespace ffdc {

// Paces what is sent to max_bytes_per_second (0: no cap).
class Pacer final : public Transfer {
 public:
  explicit Pacer(uint64_t max_bytes_per_second) : max_bytes_per_second_(max_bytes_per_second) {}

  void Sent(uint64_t bytes) override {
    if (max_bytes_per_second_ == 0) return;
    sent_ += bytes;
    const std::chrono::duration<double> due(static_cast<double>(sent_) /
                                            static_cast<double>(max_bytes_per_second_));
    // In short steps: waiting here is progress, and must not be taken for a store that hangs.
    for (;;) {
      const auto left = begun_ + due - Clock::now();
      if (left <= Clock::duration::zero()) return;
      std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(left, std::chrono::seconds(1)));
      ReportProgress();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  const uint64_t max_bytes_per_second_;
  const Clock::time_point begun_ = Clock::now();
  uint64_t sent_ = 0;
};

}  // namespace ffdc
