// SPDX-License-Identifier: Apache-2.0
// Pauses between tries: 1 s, doubling to 5 min, each 25 % off at random so that
// the nodes of a cluster do not come back to a server all at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace ffdc {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kFirst{1000};
  static constexpr std::chrono::milliseconds kLast{300000};

  void Failed() {
    until_ = Clock::now() + std::chrono::milliseconds(
                                static_cast<int64_t>(static_cast<double>(pause_.count()) * factor_(random_)));
    pause_ = std::min(pause_ * 2, kLast);
  }
  // The longest pause at once.
  void Hold() {
    pause_ = kLast;
    Failed();
  }
  void Reset() {
    pause_ = kFirst;
    until_ = {};
  }
  [[nodiscard]] bool Over() const { return Clock::now() >= until_; }

 private:
  std::chrono::milliseconds pause_ = kFirst;
  Clock::time_point until_;
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_real_distribution<double> factor_{0.75, 1.25};
};

}  // namespace ffdc
