// SPDX-License-Identifier: Apache-2.0
#include "probe/latency_window.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "probe/latency.h"

namespace ffdc {
namespace {

constexpr uint32_t kDev = 7 << FFDC_DEV_MINOR_BITS | 1;
constexpr uint32_t kFast = 20;
constexpr uint32_t kSlow = 90;

class FakeProbe final : public BlockProbe {
 public:
  void Add(uint32_t dev, uint32_t bucket, uint32_t count) {
    LatencyCounts& counts = counts_[dev];
    counts.read.resize(FFDC_HIST_BUCKETS);
    counts.write.resize(FFDC_HIST_BUCKETS);
    counts.read[bucket] += count;
    counts.completions += count;
  }
  void Clear(uint32_t dev) { counts_.erase(dev); }

  LatencyCounts Latencies(uint32_t dev) const override {
    const auto found = counts_.find(dev);
    return found == counts_.end() ? LatencyCounts{} : found->second;
  }
  int poll_fd() const override { return -1; }
  void Consume() override {}
  FrozenHistory Freeze() override { return {}; }
  uint64_t StopHistory() override { return 0; }
  void Rearm() override {}
  void SetDevice(uint32_t, bool) override {}
  void RemoveDevice(uint32_t) override {}
  void SetBioDevices(bool) override {}
  std::vector<FailureCount> FailureCounts() const override { return {}; }
  int blocked_tasks_link_fd() const override { return -1; }
  Result<std::string> BlockedTasksText() const override { return std::string(); }
  BioFlow BiosOf(uint32_t) override { return {}; }
  std::vector<v1::Probe> Status() const override { return {}; }
  uint64_t history_records(uint64_t*) const override { return 0; }

 private:
  std::map<uint32_t, LatencyCounts> counts_;
};

class LatencyWindowsTest : public ::testing::Test {
 protected:
  void Tick(int times = 1) {
    for (int i = 0; i < times; ++i) windows_.Tick({kDev});
  }

  FakeProbe probe_;
  LatencyWindows windows_{probe_};
};

// The tick of the largest machines: every one of them has its figures a second later.
TEST_F(LatencyWindowsTest, FiveThousandDisksAtOnce) {
  std::vector<uint32_t> devs;
  for (uint32_t i = 0; i < 5000; ++i) devs.push_back(259 << FFDC_DEV_MINOR_BITS | i);
  for (const uint32_t dev : devs) probe_.Add(dev, kFast, 1);
  windows_.Tick(devs);
  for (const uint32_t dev : devs) probe_.Add(dev, kSlow, 1);
  windows_.Tick(devs);
  for (const uint32_t dev : devs) {
    ASSERT_EQ(windows_.completions(dev), 2u);
    ASSERT_GT(windows_.LastSecond(dev).read_p50_ns, windows_.LastMinute(dev).read_p50_ns);
  }
}

TEST_F(LatencyWindowsTest, TheFirstSecondOfADeviceCounts) {
  probe_.Add(kDev, kFast, 100);
  Tick();
  EXPECT_EQ(windows_.completions(kDev), 100u);
  EXPECT_EQ(windows_.LastSecond(kDev).read_p99_ns, BucketMiddleNs(kFast));
  EXPECT_EQ(windows_.LastMinute(kDev).read_p99_ns, BucketMiddleNs(kFast));
}

TEST_F(LatencyWindowsTest, ASecondIsOverWithTheNext) {
  probe_.Add(kDev, kFast, 100);
  Tick();
  probe_.Add(kDev, kSlow, 10);
  Tick();
  EXPECT_EQ(windows_.LastSecond(kDev).read_p50_ns, BucketMiddleNs(kSlow));
  EXPECT_EQ(windows_.LastMinute(kDev).read_p50_ns, BucketMiddleNs(kFast));
  EXPECT_EQ(windows_.LastMinute(kDev).read_p99_ns, BucketMiddleNs(kSlow));
  Tick();
  EXPECT_EQ(windows_.LastSecond(kDev).read_p50_ns, 0u);
}

TEST_F(LatencyWindowsTest, AMinuteIsOverAfterTwoAtTheLatest) {
  probe_.Add(kDev, kFast, 100);
  Tick(60);
  EXPECT_EQ(windows_.LastMinute(kDev).read_p50_ns, BucketMiddleNs(kFast));
  Tick(60);
  EXPECT_EQ(windows_.LastMinute(kDev).read_p50_ns, 0u);
}

TEST_F(LatencyWindowsTest, AnotherDeviceOfTheSameNumberStartsAnew) {
  probe_.Add(kDev, kFast, 100);
  Tick();
  probe_.Clear(kDev);
  probe_.Add(kDev, kSlow, 5);
  Tick();
  EXPECT_EQ(windows_.completions(kDev), 5u);
  EXPECT_EQ(windows_.LastSecond(kDev).read_p50_ns, BucketMiddleNs(kSlow));
  EXPECT_EQ(windows_.LastMinute(kDev).read_p50_ns, BucketMiddleNs(kSlow));
}

}  // namespace
}  // namespace ffdc
