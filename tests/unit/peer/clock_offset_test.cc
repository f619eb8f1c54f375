// SPDX-License-Identifier: Apache-2.0
#include "peer/clock_offset.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

// Their clock is offset ahead of ours; there and back take so long.
ClockExchange Exchange(int64_t at_ns, int64_t offset_ns, int64_t there_ns, int64_t back_ns,
                       int64_t work_ns = 0) {
  ClockExchange exchange;
  exchange.sent_wall_ns = at_ns;
  exchange.received_wall_ns = at_ns + there_ns + offset_ns;
  exchange.answered_wall_ns = exchange.received_wall_ns + work_ns;
  exchange.returned_wall_ns = at_ns + there_ns + work_ns + back_ns;
  exchange.returned_mono_ns = static_cast<uint64_t>(at_ns);
  return exchange;
}

TEST(ClockOffsetsTest, NothingIsKnownBeforeTheFirstExchange) { EXPECT_FALSE(ClockOffsets().At(kSecond)); }

TEST(ClockOffsetsTest, TimeSpentThereIsNoRoundTrip) {
  ClockOffsets offsets;
  offsets.Add(Exchange(10 * kMs, 3000 * kMs, 1 * kMs, 1 * kMs, 500 * kMs));
  const auto clock = offsets.At(10 * kMs);
  ASSERT_TRUE(clock);
  EXPECT_EQ(clock->offset_ns, 3000 * kMs);
  EXPECT_EQ(clock->round_trip_ns, static_cast<uint64_t>(2 * kMs));
  EXPECT_EQ(clock->uncertainty_ns, static_cast<uint64_t>(1 * kMs));
}

TEST(ClockOffsetsTest, TheTruthLiesWithinTheUncertaintyHoweverUnevenTheWay) {
  for (const int64_t there : {0, 1, 7, 19}) {
    ClockOffsets offsets;
    offsets.Add(Exchange(kMs, -42 * kMs, there * kMs, (19 - there) * kMs));
    const auto clock = offsets.At(kMs);
    ASSERT_TRUE(clock);
    EXPECT_LE(std::abs(clock->offset_ns + 42 * kMs), static_cast<int64_t>(clock->uncertainty_ns));
  }
}

TEST(ClockOffsetsTest, TheShortestRoundTripIsBelievedUntilItIsOld) {
  ClockOffsets offsets;
  offsets.Add(Exchange(0, 5 * kMs, kMs / 10, kMs / 10));
  offsets.Add(Exchange(1000 * kMs, 5 * kMs + kMs / 2, 4 * kMs, 4 * kMs));
  EXPECT_EQ(offsets.At(kSecond)->offset_ns, 5 * kMs);
  // 200 ppm of 40 s are 8 ms: what is this much younger knows better.
  offsets.Add(Exchange(40'000 * kMs, 5 * kMs + kMs / 2, 4 * kMs, 4 * kMs));
  EXPECT_EQ(offsets.At(40 * kSecond)->offset_ns, 5 * kMs + kMs / 2);
  EXPECT_EQ(offsets.At(40 * kSecond)->uncertainty_ns, static_cast<uint64_t>(4 * kMs));
  EXPECT_EQ(offsets.At(50 * kSecond)->uncertainty_ns, static_cast<uint64_t>(6 * kMs));
}

TEST(ClockOffsetsTest, AClockThatWasSetIsBelievedAtOnce) {
  ClockOffsets offsets;
  offsets.Add(Exchange(0, 0, kMs / 10, kMs / 10));
  offsets.Add(Exchange(1000 * kMs, 3000 * kMs, kMs, kMs));
  EXPECT_EQ(offsets.At(kSecond)->offset_ns, 3000 * kMs);
}

TEST(ClockOffsetsTest, ExchangesThatCannotBeAreLeftOut) {
  ClockOffsets offsets;
  ClockExchange backwards = Exchange(0, 0, kMs, kMs);
  backwards.returned_wall_ns = -5 * kMs;  // our clock was set meanwhile
  offsets.Add(backwards);
  ClockExchange there = Exchange(0, 0, kMs, kMs);
  there.answered_wall_ns = there.received_wall_ns - 1;
  offsets.Add(there);
  offsets.Add(Exchange(0, 0, 11'000 * kMs, kMs));
  EXPECT_FALSE(offsets.At(kSecond));
}

}  // namespace
}  // namespace ffdc
