// SPDX-License-Identifier: Apache-2.0
// Percentiles of each watched device over the last second (for the 1 Hz
// history) and the last minute (for people), from the cumulative histograms.
// Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "probe/block_probe.h"

namespace ffdc {

struct LatencyFigures {
  uint32_t reads = 0;  // those that were timed
  uint32_t writes = 0;
  uint64_t read_p50_ns = 0;
  uint64_t read_p99_ns = 0;
  uint64_t write_p50_ns = 0;
  uint64_t write_p99_ns = 0;
};

class LatencyWindows {
 public:
  explicit LatencyWindows(const BlockProbe& probe) : probe_(probe) {}
  void Tick(const std::vector<uint32_t>& devs);  // once a second; devs not named are forgotten
  [[nodiscard]] LatencyFigures LastSecond(uint32_t dev) const;
  [[nodiscard]] LatencyFigures LastMinute(uint32_t dev) const;  // of the last 60 to 120 s
  [[nodiscard]] uint64_t completions(uint32_t dev) const;

 private:
  struct Device {
    LatencyCounts now;
    LatencyFigures last_second;
    LatencyCounts minute_ago;
    LatencyCounts two_minutes_ago;
  };
  const BlockProbe& probe_;
  std::map<uint32_t, Device> devices_;
  uint32_t seconds_ = 0;
};

}  // namespace ffdc
