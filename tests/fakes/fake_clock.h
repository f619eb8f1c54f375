// SPDX-License-Identifier: Apache-2.0
// A clock that only the test moves. The wall clock goes along, and steps where the test
// changes its offset.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ffdc {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] uint64_t MonotonicNs() const override { return now_ns; }
  [[nodiscard]] int64_t RealtimeNs() const override { return wall_ns + static_cast<int64_t>(now_ns); }
  [[nodiscard]] uint64_t BoottimeNs() const override { return now_ns; }

  uint64_t now_ns = 1'000'000'000'000;
  int64_t wall_ns = 1'700'000'000'000'000'000;  // at now_ns == 0
};

}  // namespace ffdc
