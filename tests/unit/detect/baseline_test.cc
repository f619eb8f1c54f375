// SPDX-License-Identifier: Apache-2.0
#include "detect/baseline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fakes/units.h"

namespace ffdc {
namespace {

constexpr double kFactor = 5;

LatencyWindow Window(double p50_ms, double ios_per_s = 200, double bytes = 4096, double p99_ms = 0) {
  return {static_cast<uint64_t>(p50_ms * kMs), static_cast<uint64_t>(p99_ms * kMs), ios_per_s, bytes};
}

// 20 % to either side, the same in every run.
double Noise(uint32_t i) { return 1 + 0.2 * std::sin(i * 2.4); }

void Train(Baseline& baseline, uint32_t seconds, uint32_t hour, double p50_ms, double ios_per_s = 200,
           double bytes = 4096, double p99_ms = 0) {
  for (uint32_t i = 0; i < seconds; ++i) {
    baseline.CountSecond();
    if (i % Baseline::kLearnEveryS != 0) continue;
    baseline.Learn(Window(p50_ms * Noise(i), ios_per_s * Noise(i + 1), bytes, p99_ms * Noise(i)), hour,
                   false);
  }
}

TEST(Baseline, SaysNothingBeforeTenMinutesOfIo) {
  Baseline baseline;
  Train(baseline, 599, 3, 2);
  EXPECT_FALSE(baseline.Judge(Window(1000), 3, kFactor).known);
  Train(baseline, 1, 3, 2);
  EXPECT_TRUE(baseline.Judge(Window(1000), 3, kFactor).slow);
}

TEST(Baseline, TenTimesAsSlowIsSlowAndThreeTimesIsNot) {
  Baseline baseline;
  Train(baseline, 1000, 3, 2);
  const Judgement slow = baseline.Judge(Window(20), 3, kFactor);
  EXPECT_TRUE(slow.slow);
  EXPECT_NEAR(slow.times, 10, 2);
  EXPECT_NEAR(static_cast<double>(slow.usual_ns), 2e6, 5e5);
  EXPECT_FALSE(baseline.Judge(Window(6), 3, kFactor).slow);
  EXPECT_FALSE(baseline.Judge(Window(2), 3, kFactor).slow);
  EXPECT_TRUE(baseline.Judge(Window(2), 3, kFactor).known);
}

TEST(Baseline, ATailThatGrowsIsSlowToo) {
  Baseline baseline;
  Train(baseline, 1000, 3, 2, 200, 4096, 8);
  const Judgement slow = baseline.Judge(Window(2, 200, 4096, 200), 3, kFactor);
  EXPECT_TRUE(slow.slow);
  EXPECT_STREQ(slow.what, "p99");
}

TEST(Baseline, ANoisyDiskNeedsMoreThanTheFactor) {
  Baseline baseline;
  for (uint32_t i = 0; i < 1000; ++i) {
    baseline.CountSecond();
    if (i % 10 == 0)
      baseline.Learn(Window(i % 20 == 0 ? 0.5 : 8), 3, false);  // a cache that hits every other time
  }
  EXPECT_FALSE(baseline.Judge(Window(30), 3, kFactor).slow);
}

TEST(Baseline, FasterThanAnybodyNoticesIsNotSlow) {
  Baseline baseline;
  Train(baseline, 1000, 3, 0.02, 5000);
  EXPECT_FALSE(baseline.Judge(Window(0.3, 5000), 3, kFactor).slow);
}

TEST(Baseline, WhatThroughputExplainsIsNotSlow) {
  Baseline baseline;
  // Twice the rate takes twice as long: 1 ms at 100/s, 16 ms at 1600/s.
  for (int round = 0; round < 3; ++round)
    for (const double rate : {100, 100, 100, 100, 200, 400, 800, 1600})
      Train(baseline, 60, 3, rate / 100, rate);
  EXPECT_FALSE(baseline.Judge(Window(16, 1600), 3, kFactor).slow);
  EXPECT_FALSE(baseline.Judge(Window(20, 1900), 3, kFactor).slow);
  EXPECT_TRUE(baseline.Judge(Window(16, 100), 3, kFactor).slow);
}

TEST(Baseline, ARateNeverSeenIsNotJudged) {
  Baseline baseline;
  Train(baseline, 1000, 3, 1, 100);
  EXPECT_FALSE(baseline.Judge(Window(30, 3000), 3, kFactor).known);
  EXPECT_TRUE(baseline.Judge(Window(30, 100), 3, kFactor).slow);
}

TEST(Baseline, LargeIosAreNotComparedWithSmallOnes) {
  Baseline baseline;
  Train(baseline, 1000, 3, 1, 100, 4096);
  EXPECT_FALSE(baseline.Judge(Window(30, 50, 1 << 20), 3, kFactor).known);
  Train(baseline, 600, 3, 30, 50, 1 << 20);
  const Judgement usual = baseline.Judge(Window(30, 50, 1 << 20), 3, kFactor);
  EXPECT_TRUE(usual.known);
  EXPECT_FALSE(usual.slow);
  EXPECT_TRUE(baseline.Judge(Window(30, 50, 4096), 3, kFactor).slow);
}

TEST(Baseline, EveryHourHasItsOwnUsual) {
  Baseline baseline;
  for (uint32_t hour = 0; hour < 24; ++hour)
    Train(baseline, 3600, hour, hour == 2 ? 40 : 2);  // a nightly batch
  EXPECT_FALSE(baseline.Judge(Window(40), 2, kFactor).slow);
  EXPECT_TRUE(baseline.Judge(Window(40), 14, kFactor).slow);
  EXPECT_TRUE(baseline.Judge(Window(400), 2, kFactor).slow);
}

TEST(Baseline, AnHourNeverSeenIsComparedWithTheDay) {
  Baseline baseline;
  Train(baseline, 3600, 9, 2);
  EXPECT_TRUE(baseline.Judge(Window(20), 21, kFactor).slow);
  EXPECT_FALSE(baseline.Judge(Window(3), 21, kFactor).slow);
}

TEST(Baseline, SlownessBecomesUsualOnlyAfterMoreThanADay) {
  Baseline baseline;
  for (uint32_t hour = 0; hour < 24; ++hour) Train(baseline, 3600, hour, 2);
  const auto slow_hour = [&](uint32_t hour) {
    for (int i = 0; i < 360; ++i) baseline.Learn(Window(40), hour, true);
  };
  for (uint32_t hour = 0; hour < 12; ++hour) slow_hour(hour);
  EXPECT_TRUE(baseline.Judge(Window(40), 3, kFactor).slow);
  EXPECT_TRUE(baseline.Judge(Window(40), 20, kFactor).slow);
  for (int day = 0; day < 5; ++day)
    for (uint32_t hour = 0; hour < 24; ++hour) slow_hour(hour);
  EXPECT_FALSE(baseline.Judge(Window(40), 3, kFactor).slow);
}

TEST(Baseline, IsBoundedAndSurvivesAsBytes) {
  Baseline baseline;
  for (uint32_t hour = 0; hour < 24; ++hour) Train(baseline, 7200, hour, 2);
  const std::string bytes = baseline.Encode();
  EXPECT_LE(bytes.size(), 2048u);
  Baseline again;
  ASSERT_TRUE(again.Decode(bytes));
  EXPECT_EQ(again.active_s(), baseline.active_s());
  EXPECT_TRUE(again.Judge(Window(20), 3, kFactor).slow);
  EXPECT_EQ(again.Encode(), bytes);
}

TEST(Baseline, BytesOfSomethingElseAreRefusedAndChangeNothing) {
  Baseline baseline;
  Train(baseline, 1000, 3, 2);
  const std::string bytes = baseline.Encode();
  std::string other = bytes;
  other[0] = 2;
  EXPECT_FALSE(baseline.Decode(other));
  EXPECT_FALSE(baseline.Decode(""));
  EXPECT_FALSE(baseline.Decode(bytes.substr(0, bytes.size() - 1)));
  other = bytes;
  other.back() = 24;  // an hour that no day has
  EXPECT_FALSE(baseline.Decode(other));
  EXPECT_FALSE(baseline.Decode(bytes + std::string(8 * 224, '\1')));
  EXPECT_EQ(baseline.Encode(), bytes);
}

}  // namespace
}  // namespace ffdc
