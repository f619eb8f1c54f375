// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace ffdc {
namespace {

constexpr int kMaxReadings = 16;
constexpr uint64_t kCloseNs = 2'000;  // four vDSO calls take a tenth of it

uint64_t Read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * kNsPerSecond + static_cast<uint64_t>(ts.tv_nsec);
}

class KernelClock final : public Clock {
 public:
  uint64_t MonotonicNs() const override { return Read(CLOCK_MONOTONIC); }
  int64_t RealtimeNs() const override { return static_cast<int64_t>(Read(CLOCK_REALTIME)); }
  uint64_t BoottimeNs() const override { return Read(CLOCK_BOOTTIME); }
};

std::string FormatUtc(int64_t wall_ns, const char* format) {
  // Floor division: times before 1970 keep a positive fraction.
  int64_t seconds = wall_ns / kNsPerSecond;
  if (wall_ns % kNsPerSecond < 0) --seconds;
  const time_t time = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  const size_t size = strftime(text.data(), text.size(), format, &parts);
  return {text.data(), size};
}

}  // namespace

ClockMoment Clock::ReadTogether() const {
  ClockMoment best{.uncertainty_ns = UINT64_MAX};
  for (int reading = 0; reading < kMaxReadings && best.uncertainty_ns > kCloseNs / 2; ++reading) {
    const uint64_t before_ns = MonotonicNs();
    const int64_t realtime_ns = RealtimeNs();
    const uint64_t boottime_ns = BoottimeNs();
    const uint64_t half_ns = (MonotonicNs() - before_ns + 1) / 2;
    if (half_ns >= best.uncertainty_ns) continue;
    best = {realtime_ns, before_ns + half_ns, boottime_ns, half_ns};
  }
  return best;
}

const Clock& SystemClock() {
  static const KernelClock clock;
  return clock;
}

std::string FormatWallNs(int64_t wall_ns) {
  int64_t fraction = wall_ns % kNsPerSecond;
  if (fraction < 0) fraction += kNsPerSecond;
  std::array<char, 16> text{};
  snprintf(text.data(), text.size(), ".%09dZ", static_cast<int>(fraction));
  return FormatUtc(wall_ns, "%Y-%m-%dT%H:%M:%S") + text.data();
}

std::string FormatDate(int64_t wall_ns) { return FormatUtc(wall_ns, "%Y-%m-%d"); }

}  // namespace ffdc
