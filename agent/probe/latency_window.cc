// SPDX-License-Identifier: Apache-2.0
#include "probe/latency_window.h"

#include <algorithm>

namespace ffdc {
namespace {

constexpr uint32_t kMinute = 60;

uint32_t Timed(const std::vector<uint32_t>& later, const std::vector<uint32_t>& earlier) {
  uint32_t sum = 0;
  for (uint32_t bucket = 0; bucket <= FFDC_HIST_LAST && bucket < later.size(); ++bucket)
    sum += later[bucket] - (bucket < earlier.size() ? earlier[bucket] : 0);
  return sum;
}

LatencyFigures Between(const LatencyCounts& later, const LatencyCounts& earlier) {
  return {Timed(later.read, earlier.read),
          Timed(later.write, earlier.write),
          LatencyQuantileNs(later.read, earlier.read, 0.5),
          LatencyQuantileNs(later.read, earlier.read, 0.99),
          LatencyQuantileNs(later.write, earlier.write, 0.5),
          LatencyQuantileNs(later.write, earlier.write, 0.99)};
}

}  // namespace

void LatencyWindows::Tick(const std::vector<uint32_t>& devs) {
  std::erase_if(devices_, [&](const auto& entry) {
    return std::find(devs.begin(), devs.end(), entry.first) == devs.end();
  });
  const bool minute = ++seconds_ % kMinute == 0;
  for (const uint32_t dev : devs) {
    LatencyCounts counts = probe_.Latencies(dev);
    Device& device = devices_[dev];
    // A new device's counts start from nothing; so do those of a number that another device has now.
    if (counts.completions < device.now.completions) device = {};
    device.last_second =
        counts.completions == device.now.completions ? LatencyFigures{} : Between(counts, device.now);
    device.now = std::move(counts);
    if (!minute) continue;
    device.two_minutes_ago = std::move(device.minute_ago);
    device.minute_ago = device.now;
  }
}

LatencyFigures LatencyWindows::LastSecond(uint32_t dev) const {
  const auto found = devices_.find(dev);
  return found == devices_.end() ? LatencyFigures{} : found->second.last_second;
}

LatencyFigures LatencyWindows::LastMinute(uint32_t dev) const {
  const auto found = devices_.find(dev);
  return found == devices_.end() ? LatencyFigures{}
                                 : Between(found->second.now, found->second.two_minutes_ago);
}

uint64_t LatencyWindows::completions(uint32_t dev) const {
  const auto found = devices_.find(dev);
  return found == devices_.end() ? 0 : found->second.now.completions;
}

}  // namespace ffdc
