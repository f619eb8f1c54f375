// SPDX-License-Identifier: Apache-2.0
// The clocks, injectable. Order and durations come from the monotonic clock
// alone: the wall clock may step backwards and is only ever shown.
#pragma once

#include <cstdint>
#include <string>

namespace ffdc {

inline constexpr int64_t kNsPerSecond = 1'000'000'000;

// One moment on three clocks.
struct ClockMoment {
  int64_t realtime_ns = 0;
  uint64_t monotonic_ns = 0;
  uint64_t boottime_ns = 0;
  uint64_t uncertainty_ns = 0;  // how far the moment may lie to either side of monotonic_ns

  // Wall clock time of a monotonic time, earlier or later, by the clocks' offset at this moment.
  [[nodiscard]] int64_t WallNs(uint64_t other_monotonic_ns) const {
    return static_cast<int64_t>(static_cast<uint64_t>(realtime_ns) + (other_monotonic_ns - monotonic_ns));
  }
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual uint64_t MonotonicNs() const = 0;  // CLOCK_MONOTONIC, as bpf_ktime_get_ns
  [[nodiscard]] virtual int64_t RealtimeNs() const = 0;    // CLOCK_REALTIME since the epoch
  [[nodiscard]] virtual uint64_t BoottimeNs() const = 0;

  // The clocks read together: between two readings of the monotonic clock that lie close, so
  // that a thread that loses its processor in between does not shift one clock against another.
  [[nodiscard]] ClockMoment ReadTogether() const;

  // Wall clock time of a monotonic time, by the clocks' offset now.
  [[nodiscard]] int64_t WallOf(uint64_t monotonic_ns) const { return ReadTogether().WallNs(monotonic_ns); }
};

// The kernel's clocks. Thread-safe, lives for ever.
const Clock& SystemClock();

// "2026-11-23T06:12:00.123456789Z" (UTC, RFC 3339).
std::string FormatWallNs(int64_t wall_ns);
// "2026-11-23", UTC: the folder of an incident opened then.
std::string FormatDate(int64_t wall_ns);

}  // namespace ffdc
