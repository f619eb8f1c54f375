// SPDX-License-Identifier: Apache-2.0
#include "detect/detect_tasks.h"
#include "node_fixture.h"

namespace ffdc {
namespace {

TEST(DetectTasks, ReadThinPoolStatus) {
  const auto pool =
      ParseThinPoolStatus("1 10/1024 450/512 - rw no_discard_passdown queue_if_no_space - 256", 65536);
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->mode, "rw");
  ASSERT_EQ(pool->levels.size(), 2u);
  EXPECT_EQ(pool->levels[0].resource, "data");
  EXPECT_EQ(pool->levels[0].used, 450u * 65536);
  EXPECT_EQ(pool->levels[0].total, 512u * 65536);
  EXPECT_EQ(pool->levels[1].resource, "metadata");
  EXPECT_EQ(pool->levels[1].used, 10u * 4096);
  const auto full =
      ParseThinPoolStatus("0 1/2 512/512 - out_of_data_space discard_passdown error_if_no_space -", 1);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->mode, "out_of_data_space");
  EXPECT_EQ(ParseThinPoolStatus("Fail", 1)->mode, "fail");
  for (const char* text : {"", "1", "1 10/ 3/4 - rw", "1 10/0 3/4 - rw", "x 1/2 3/4 - rw"})
    EXPECT_FALSE(ParseThinPoolStatus(text, 1)) << text;
}

TEST(DetectTasks, ReadNextElapse) {
  EXPECT_EQ(ParseNextElapse("  Original form: daily\nNormalized form: *-*-* 00:00:00\n"
                            "    Next elapse: Sat 2026-11-28 00:00:00 UTC\n       From now: 8h left\n"),
            1795824000);
  EXPECT_EQ(ParseNextElapse("    Next elapse: Mon 2026-11-30 03:00:00 CET\n"
                            "       (in UTC): Mon 2026-11-30 02:00:00 UTC\n"),
            1796004000);
  EXPECT_EQ(ParseNextElapse("    Next elapse: Sat 2026-11-28 00:00:00.500000 UTC\n"), 1795824000);
  EXPECT_FALSE(ParseNextElapse("    Next elapse: never\n"));
  EXPECT_FALSE(ParseNextElapse("Next elapse: Sat 2026-11-28 00:00:00 CET\n"));
  EXPECT_FALSE(ParseNextElapse(""));
}

class ResourceThresholdTest : public NodeFixture {
 protected:
  ResourceThresholdTest() { kinds_ = {"resource.threshold"}; }

  // The filesystem's next survey says so.
  void Fill(int percent, const std::string& more = "") {
    Tick(11);
    ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk,
                       "0 space " + std::to_string(percent * 1000) + " 100000" + more + "\n"));
  }
};

TEST_F(ResourceThresholdTest, RaisesTurnsCriticalAndClearsWithHysteresis) {
  Start();
  Fill(74);
  EXPECT_TRUE(events_.empty());
  Fill(75);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event opened = events_[0].first;
  EXPECT_EQ(opened.domain(), v1::RESOURCE);
  EXPECT_EQ(opened.severity(), v1::WARNING);
  EXPECT_EQ(opened.subject().type(), "filesystem");
  EXPECT_EQ(opened.subject().id(), "fs:1234-abcd");
  EXPECT_EQ(opened.summary(), "/srv/data: 75% of its space is used");
  EXPECT_TRUE(IsRelated(opened, "mount:/srv/data"));
  EXPECT_TRUE(IsRelated(opened, "dm:data0"));
  Fill(90);
  Tick();
  EXPECT_EQ(events_.back().first.severity(), v1::CRITICAL);
  EXPECT_EQ(Fact(events_.back().first, "used_percent"), "90");
  EXPECT_EQ(Fact(events_.back().first, "total_bytes"), "100000");
  Fill(70);
  EXPECT_EQ(Count(EventPhase::kEnded), 0u);
  Fill(69);
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  Fill(74);
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  Fill(80);
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
  EXPECT_EQ(events_.back().first.count(), 1u);
}

TEST_F(ResourceThresholdTest, InodesAreACrossingOfTheirOwn) {
  Start();
  Fill(10, " inodes 95 100");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.severity(), v1::CRITICAL);
  EXPECT_EQ(events_[0].first.summary(), "/srv/data: 95% of its inodes is used");
  Fill(80, " inodes 95 100");
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
}

TEST_F(ResourceThresholdTest, TheStoresPoolIsMeasuredAgainstItsQuotaAndTheClustersRoom) {
  Start();
  PoolFill pool{
      .id = "ceph:f51d/dump", .name = "dump", .used_bytes = 74, .total_bytes = 1000, .quota_bytes = 100};
  const auto tell = [&] {
    for (const auto& detector : detectors_) detector->OnSpace(pool);
    Tick();
  };
  tell();
  EXPECT_TRUE(events_.empty());
  pool.used_bytes = 75;
  tell();
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event opened = events_[0].first;
  EXPECT_EQ(opened.subject().type(), "ceph_pool");
  EXPECT_EQ(opened.subject().id(), "ceph:f51d/dump");
  EXPECT_EQ(opened.summary(), "dump: 75% of its quota is used");
  EXPECT_EQ(opened.severity(), v1::WARNING);
  EXPECT_TRUE(IsRelated(opened, "ceph:f51d"));
  pool.used_bytes = 90;
  tell();
  EXPECT_EQ(events_.back().first.severity(), v1::CRITICAL);
  EXPECT_EQ(Fact(events_.back().first, "total_bytes"), "100");
  pool.used_bytes = 70;
  tell();
  EXPECT_EQ(Count(EventPhase::kEnded), 0u);
  pool.quota_bytes = 0;  // lifted
  tell();
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  pool = {.id = pool.id, .name = pool.name, .total_bytes = 1000, .objects = 8, .quota_objects = 10};
  tell();
  EXPECT_EQ(events_.back().first.summary(), "dump: 80% of its objects is used");
  EXPECT_EQ(Fact(events_.back().first, "used_objects"), "8");
}

TEST_F(ResourceThresholdTest, ReadOnlyAndUnwatchedFilesystemsAreNotLookedAt) {
  Filesystem image = mounted_[0];
  image.dev = image.disk = kDisk + 1;
  image.points = {"/snap/x"};
  image.read_only = true;
  Filesystem other = image;
  other.dev = other.disk = kDisk + 2;
  other.points = {"/other"};
  other.read_only = false;
  ignored_ = {kDisk + 2};
  mounted_ = {image, other, mounted_[0]};
  Start();
  Fill(10);
  EXPECT_EQ(last_argument_, std::string("/srv/data\0", 10));
}

TEST_F(ResourceThresholdTest, OnlyTheNamedFilesystemsWhereSomeAreNamed) {
  options_.filesystems = {"/mnt/bind", "/nowhere"};
  Filesystem other = mounted_[0];
  other.dev = kDisk + 2;
  other.points = {"/other"};
  mounted_ = {other, mounted_[0]};
  Start();
  Fill(10);
  EXPECT_EQ(last_argument_, std::string("/srv/data\0", 10));
}

TEST_F(ResourceThresholdTest, AWorkerThatHangsIsAProblemAndNotAskedAgainSoon) {
  Start();
  Tick();
  ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kAbandoned, "hangs in the kernel"));
  ASSERT_EQ(Problems().size(), 1u);
  EXPECT_EQ(Problems()[0], "cannot read the fill levels of filesystems: hangs in the kernel");
  Tick(100);
  EXPECT_TRUE(asked_.empty() || asked_.front().first.task != "detect.fill_levels");
  Tick(600);
  ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk, ""));
  EXPECT_TRUE(Problems().empty());
}

class PeriodicTest : public NodeFixture {
 protected:
  PeriodicTest() {
    kinds_ = {"periodic"};
    options_.periodic = "hourly";
  }
  [[nodiscard]] int64_t WallSeconds() const { return clock_.RealtimeNs() / static_cast<int64_t>(kSecond); }
  [[nodiscard]] bool ElapsesIn(int64_t seconds) {
    return Answer("detect.next_elapse", WorkerOutcome::kOk, std::to_string(WallSeconds() + seconds));
  }
};

TEST_F(PeriodicTest, ElapsesOnceATimeAndIsOverAtOnce) {
  Start();
  Tick();
  ASSERT_TRUE(ElapsesIn(100));
  EXPECT_EQ(last_argument_, "hourly");
  Tick(98);
  EXPECT_TRUE(events_.empty());
  Tick(2);
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
  EXPECT_EQ(events_[0].first.domain(), v1::REQUESTED);
  EXPECT_EQ(events_[0].first.severity(), v1::INFO);
  EXPECT_EQ(events_[1].second, EventPhase::kEnded);
  ASSERT_TRUE(ElapsesIn(100));
  Tick(101);
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
  EXPECT_NE(events_[0].first.subject().id(), events_[2].first.subject().id());
}

TEST_F(PeriodicTest, AClockThatIsSetIsAskedAgain) {
  Start();
  Tick();
  ASSERT_TRUE(ElapsesIn(1000));
  clock_.wall_ns -= 86'400 * static_cast<int64_t>(kSecond);
  Tick();
  ASSERT_TRUE(ElapsesIn(50));
  Tick(51);
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  ASSERT_TRUE(ElapsesIn(1000));
  clock_.wall_ns += 86'400 * static_cast<int64_t>(kSecond);  // past it
  Tick();
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
}

TEST_F(PeriodicTest, WhatCannotBeReadIsAProblemAndTriedAgain) {
  Start();
  Tick();
  ASSERT_TRUE(Answer("detect.next_elapse", WorkerOutcome::kError, "Failed to parse"));
  ASSERT_EQ(Problems().size(), 1u);
  EXPECT_EQ(Problems()[0], "periodic.calendar \"hourly\": Failed to parse");
  Tick(61);
  ASSERT_TRUE(Answer("detect.next_elapse", WorkerOutcome::kOk, ""));
  EXPECT_EQ(Problems()[0], "periodic.calendar \"hourly\": never elapses again");
  Tick(1000);
  EXPECT_TRUE(events_.empty());
}

TEST_F(PeriodicTest, NothingConfiguredAsksNobody) {
  options_.periodic.clear();
  Start();
  Tick(5);
  EXPECT_FALSE(Answer("detect.next_elapse", WorkerOutcome::kOk, ""));
}

}  // namespace
}  // namespace ffdc
