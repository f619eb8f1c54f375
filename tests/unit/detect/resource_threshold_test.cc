// SPDX-License-Identifier: Apache-2.0
#include "base/fs.h"
#include "detect/detect_tasks.h"
#include "ffdc/v1/control.pb.h"
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

TEST(DetectTasks, ReadThinVolumes) {
  EXPECT_EQ(ParseThinVolume("253:2 7", "2048 4095", "253:2"), 2048u * 512);
  EXPECT_FALSE(ParseThinVolume("253:3 7", "2048 4095", "253:2"));
  for (const char* status : {"", "-", "Fail", "Error", "x 1"})
    EXPECT_FALSE(ParseThinVolume("253:2 7", status, "253:2")) << status;
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

  static Filesystem OfNetwork(const std::string& source, const std::string& point) {
    Filesystem filesystem;
    filesystem.id = "nfs:" + source;
    filesystem.type = "nfs4";
    filesystem.points = {point};
    return filesystem;
  }
  // The worker got this far, and stays there.
  void HangAfter(const std::string& log) {
    const WorkerRequest* request = Asked("detect.fill_levels");
    ASSERT_NE(request, nullptr);
    ASSERT_EQ(request->fds.size(), 1u);
    ASSERT_TRUE(WriteAll(request->fds[0], log, "log"));
    ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kAbandoned, "hangs in the kernel"));
  }
  [[nodiscard]] std::map<std::string, v1::Resource> List() const {
    v1::ResourceList list;
    for (const auto& detector : detectors_) detector->AddResources(list);
    std::map<std::string, v1::Resource> by_name;
    for (const v1::Resource& resource : list.resources())
      by_name[resource.name() + " " + resource.resource()] = resource;
    return by_name;
  }

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
  pool.largest_pools = {{"images", 900}, {"dump", 75}};
  tell();
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event opened = events_[0].first;
  EXPECT_EQ(opened.subject().type(), "ceph_pool");
  EXPECT_EQ(opened.subject().id(), "ceph:f51d/dump");
  EXPECT_EQ(opened.summary(), "dump: 75% of its quota is used");
  EXPECT_EQ(opened.severity(), v1::WARNING);
  EXPECT_TRUE(IsRelated(opened, "ceph:f51d"));
  EXPECT_EQ(Fact(opened, "largest_pools_bytes"), "images 900, dump 75");
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

TEST_F(ResourceThresholdTest, AMountThatHangsIsNamedAndTheOthersAreAskedOn) {
  others_ = {OfNetwork("srv:/a", "/mnt/a"), OfNetwork("srv:/b", "/mnt/b")};
  Start();
  Tick();
  HangAfter("@0\n0 space 80 100\n@1\n");
  ASSERT_EQ(Problems().size(), 1u);
  EXPECT_EQ(Problems()[0], "filesystem /mnt/a (nfs4) does not answer: how full it is cannot be told");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);  // what answered before counts
  EXPECT_EQ(List()["/mnt/a space"].state(), v1::RESOURCE_UNREACHABLE);
  EXPECT_EQ(List()["/mnt/a space"].error(), "does not answer: hangs in the kernel");
  EXPECT_EQ(List().count("/mnt/b space"), 0u);
  Tick();  // the others at once, without it
  ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk, "0 space 80 100\n1 space 90 100\n"));
  EXPECT_EQ(last_argument_, std::string("/srv/data\0/mnt/b\0", 17));
  EXPECT_EQ(List()["/mnt/b space"].state(), v1::RESOURCE_CRITICAL);
  EXPECT_EQ(events_.back().first.subject().id(), "nfs:srv:/b");
  Tick(50);
  ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk, ""));
  EXPECT_EQ(last_argument_, std::string("/srv/data\0/mnt/b\0", 17));
  Tick(11);  // a minute after it hung: last
  HangAfter("@0\n0 space 1 100\n@1\n1 space 1 100\n@2\n");
  for (int round = 0; round < 10; ++round) {
    Tick(11);
    ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk, ""));
    EXPECT_EQ(last_argument_, std::string("/srv/data\0/mnt/b\0", 17)) << round;
  }
  Tick(11);
  ASSERT_TRUE(Answer("detect.fill_levels", WorkerOutcome::kOk, "2 space 5 100\n"));
  EXPECT_EQ(last_argument_, std::string("/srv/data\0/mnt/b\0/mnt/a\0", 24));
  EXPECT_TRUE(Problems().empty());
  EXPECT_EQ(List()["/mnt/a space"].state(), v1::RESOURCE_NORMAL);
}

TEST_F(ResourceThresholdTest, AMountThatHangsIsForgottenOnceItIsUnmounted) {
  others_ = {OfNetwork("srv:/a", "/mnt/a")};
  Start();
  Tick();
  HangAfter("@0\n0 space 80 100\n@1\n");
  others_.clear();
  Tick();
  EXPECT_TRUE(Problems().empty());
  EXPECT_EQ(List().count("/mnt/a space"), 0u);
}

TEST_F(ResourceThresholdTest, WhatCannotBeReadSaysWhy) {
  others_ = {OfNetwork("srv:/a", "/mnt/a")};
  Start();
  Fill(10, "\n1 error 116");
  const v1::Resource stale = List()["/mnt/a space"];
  EXPECT_EQ(stale.state(), v1::RESOURCE_UNREACHABLE);
  EXPECT_EQ(stale.error(), "cannot be read: Stale file handle");
  EXPECT_FALSE(stale.has_sampled_at());
  Fill(10, "\n1 space 1 100");
  EXPECT_EQ(List()["/mnt/a space"].state(), v1::RESOURCE_NORMAL);
  EXPECT_EQ(List()["/mnt/a space"].error(), "");
}

TEST_F(ResourceThresholdTest, SingleOnesHaveLimitsOfTheirOwn) {
  options_.resource_limits = {{"/mnt/bind", 85, 95, 80}, {"dump", 10, 20, 5}};
  Start();
  Fill(84);
  EXPECT_TRUE(events_.empty());
  Fill(85);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.severity(), v1::WARNING);
  Fill(80);
  EXPECT_EQ(Count(EventPhase::kEnded), 0u);
  EXPECT_EQ(List()["/srv/data space"].state(), v1::RESOURCE_WARNING);
  Fill(79);
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  const v1::Resource listed = List()["/srv/data space"];
  EXPECT_EQ(listed.state(), v1::RESOURCE_NORMAL);
  EXPECT_EQ(listed.raise_percent(), 85u);
  EXPECT_EQ(listed.critical_percent(), 95u);
  EXPECT_EQ(listed.clear_percent(), 80u);
  EXPECT_EQ(listed.used(), 79'000u);
  EXPECT_EQ(listed.unit(), "bytes");
  for (const auto& detector : detectors_)
    detector->OnSpace({.id = "ceph:f51d/dump", .name = "dump", .used_bytes = 20, .total_bytes = 100});
  EXPECT_EQ(events_.back().first.severity(), v1::CRITICAL);
  EXPECT_EQ(List()["dump space"].type(), "ceph_pool");
}

TEST_F(ResourceThresholdTest, WhatIsUnmountedIsOverAndNoLongerListed) {
  Start();
  Fill(80);
  ASSERT_EQ(Count(EventPhase::kOpened), 1u);
  Filesystem other = mounted_[0];
  other.id = "fs:other";
  other.points = {"/other"};
  mounted_ = {other};
  Fill(10);
  Tick();
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  EXPECT_EQ(List().count("/srv/data space"), 0u);
  EXPECT_EQ(List().count("/other space"), 1u);
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
