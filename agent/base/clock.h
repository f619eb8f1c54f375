// SPDX-License-Identifier: Apache-2.0
// The clocks, injectable. Order and durations come from the monotonic clock
// alone: the wall clock may step backwards and is only ever shown.
#pragma once

#include <cstdint>
#include <string>

namespace ffdc {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual uint64_t MonotonicNs() const = 0;  // CLOCK_MONOTONIC, as bpf_ktime_get_ns
  [[nodiscard]] virtual int64_t RealtimeNs() const = 0;    // CLOCK_REALTIME since the epoch
  [[nodiscard]] virtual uint64_t BoottimeNs() const = 0;

  // Wall clock time of a monotonic time, by the clocks' offset now.
  [[nodiscard]] int64_t WallOf(uint64_t monotonic_ns) const {
    return RealtimeNs() - static_cast<int64_t>(MonotonicNs() - monotonic_ns);
  }
};

// The kernel's clocks. Thread-safe, lives for ever.
const Clock& SystemClock();

// "2026-11-23T06:12:00.123456789Z" (UTC, RFC 3339).
std::string FormatWallNs(int64_t wall_ns);
// "2026-11-23", UTC: the folder of an incident opened then.
std::string FormatDate(int64_t wall_ns);

}  // namespace ffdc
