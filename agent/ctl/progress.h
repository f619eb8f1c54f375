// SPDX-License-Identifier: Apache-2.0
// How far a long command is, on one line of the terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ffdc::ctl {

// "  42 % [#########            ] 1.2 MiB of 3.0 MiB  10.0 MiB/s", a few times a second.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // prefix: "3 of 12 captures", or empty.
  void Update(uint64_t bytes, uint64_t total_bytes, const std::string& prefix = {});

 private:
  using Clock = std::chrono::steady_clock;

  bool shown_;
  bool drawn_ = false;
  Clock::time_point started_at_ = Clock::now();
  Clock::time_point drawn_at_ = started_at_;
};

// The line itself. Pure.
std::string ProgressLine(uint64_t bytes, uint64_t total_bytes, double seconds, const std::string& prefix);

}  // namespace ffdc::ctl
