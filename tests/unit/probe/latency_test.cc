// SPDX-License-Identifier: Apache-2.0
#include "probe/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace ffdc {
namespace {

constexpr uint64_t kLowest = uint64_t{1} << FFDC_HIST_MIN_SHIFT;
constexpr uint64_t kHighest = uint64_t{1} << FFDC_HIST_MAX_SHIFT;

std::vector<uint32_t> Count(const std::vector<uint64_t>& latencies_ns) {
  std::vector<uint32_t> counts(FFDC_HIST_BUCKETS);
  for (const uint64_t latency_ns : latencies_ns) ++counts[ffdc_latency_bucket(latency_ns)];
  return counts;
}

uint64_t ExactQuantile(std::vector<uint64_t> values, double q) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

TEST(LatencyBucket, GrowsWithTheLatencyAndStaysInRange) {
  uint32_t last = 0;
  for (uint64_t latency_ns = 0; latency_ns < 2 * kHighest; latency_ns += 1 + latency_ns / 64) {
    const uint32_t bucket = ffdc_latency_bucket(latency_ns);
    ASSERT_GE(bucket, last) << latency_ns;
    ASSERT_LE(bucket, last + 1) << latency_ns;
    last = bucket;
  }
  EXPECT_EQ(last, static_cast<uint32_t>(FFDC_HIST_LAST));
  EXPECT_LT(last, static_cast<uint32_t>(FFDC_HIST_UNTIMED));
  EXPECT_EQ(ffdc_latency_bucket(kLowest - 1), 0u);
  EXPECT_EQ(ffdc_latency_bucket(kLowest), 1u);
  EXPECT_EQ(ffdc_latency_bucket(kHighest - 1), static_cast<uint32_t>(FFDC_HIST_LAST - 1));
  EXPECT_EQ(ffdc_latency_bucket(UINT64_MAX), static_cast<uint32_t>(FFDC_HIST_LAST));
}

TEST(LatencyBucket, MiddleIsNearEveryValueInIt) {
  for (uint64_t latency_ns = kLowest; latency_ns < kHighest; latency_ns += 1 + latency_ns / 128) {
    const auto middle = static_cast<double>(BucketMiddleNs(ffdc_latency_bucket(latency_ns)));
    const auto value = static_cast<double>(latency_ns);
    ASSERT_NEAR(middle, value, value * 0.0625) << latency_ns;
  }
}

TEST(LatencyQuantile, IsWithinTenPercentOfTheExactOne) {
  std::mt19937_64 random(20260727);  // NOLINT(bugprone-random-generator-seed): repeatable on purpose
  for (int round = 0; round < 300; ++round) {
    std::lognormal_distribution<double> body(10 + static_cast<double>(round % 10), 0.2 + 0.01 * round);
    std::vector<uint64_t> latencies_ns(1 + random() % 5000);
    for (uint64_t& latency_ns : latencies_ns) {
      latency_ns = std::clamp(static_cast<uint64_t>(body(random)), kLowest, kHighest - 1);
    }
    const std::vector<uint32_t> counts = Count(latencies_ns);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto exact = static_cast<double>(ExactQuantile(latencies_ns, q));
      ASSERT_NEAR(static_cast<double>(LatencyQuantileNs(counts, {}, q)), exact, 0.1 * exact)
          << "round " << round << " q " << q << " n " << latencies_ns.size();
    }
  }
}

TEST(LatencyQuantile, CountsOnlyWhatCameBetween) {
  const std::vector<uint32_t> earlier = Count(std::vector<uint64_t>(1000, 5'000'000));
  std::vector<uint32_t> later = earlier;
  later[ffdc_latency_bucket(20'000)] += 3;
  EXPECT_NEAR(static_cast<double>(LatencyQuantileNs(later, earlier, 0.99)), 20'000, 2'000);
  EXPECT_EQ(LatencyQuantileNs(later, later, 0.99), 0u);
}

TEST(LatencyQuantile, SurvivesCountersThatWrapped) {
  std::vector<uint32_t> earlier(FFDC_HIST_BUCKETS);
  std::vector<uint32_t> later(FFDC_HIST_BUCKETS);
  earlier[ffdc_latency_bucket(20'000)] = UINT32_MAX;
  later[ffdc_latency_bucket(20'000)] = 1;  // two more
  later[ffdc_latency_bucket(9'000'000)] = 1;
  EXPECT_NEAR(static_cast<double>(LatencyQuantileNs(later, earlier, 0.6)), 20'000, 2'000);
  EXPECT_NEAR(static_cast<double>(LatencyQuantileNs(later, earlier, 1)), 9'000'000, 900'000);
}

TEST(LatencyQuantile, LeavesOutWhatHasNoLatency) {
  std::vector<uint32_t> counts(FFDC_HIST_BUCKETS);
  counts[FFDC_HIST_UNTIMED] = 1000;
  EXPECT_EQ(LatencyQuantileNs(counts, {}, 0.5), 0u);
  counts[ffdc_latency_bucket(20'000)] = 1;
  EXPECT_NEAR(static_cast<double>(LatencyQuantileNs(counts, {}, 1)), 20'000, 2'000);
}

TEST(HistogramSlots, FollowTheBudgetWithinLimits) {
  EXPECT_EQ(HistogramSlots(8u << 20, 2), 2048u);
  EXPECT_EQ(HistogramSlots(0, 2), 16u);
  EXPECT_EQ(HistogramSlots(uint64_t{1} << 40, 1), 4096u);
}

}  // namespace
}  // namespace ffdc
