// SPDX-License-Identifier: Apache-2.0
#include <deque>

#include "base/fs.h"
#include "base/mem_file.h"
#include "detect/baseline_file.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "unit/detect/detect_fixture.h"

namespace ffdc {
namespace {

class IoSlowTest : public DetectorTest {
 protected:
  IoSlowTest() : DetectorTest("io.slow") {
    world_.latencies = [this] { return now_; };
    world_.options.state_dir = dir_.path();
    tasks_ = BaselineTasks();
    // Runs the task at once, and reports when the test says so.
    world_.submit = [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
      const auto reply = tasks_.at(request.task)(request.argument, request.fds);
      WorkerReport report;
      report.outcome = reply ? WorkerOutcome::kOk : WorkerOutcome::kError;
      if (reply) report.reply = *reply;
      if (!reply) report.error = reply.error().message;
      ++runs_[request.task];
      reports_.emplace_back([done = std::move(done), report] { done(report); });
    };
  }
  void Deliver() {
    while (!reports_.empty()) {
      const auto report = std::move(reports_.front());
      reports_.pop_front();
      report();
    }
  }
  void Begin() {
    Start();
    Deliver();
  }
  static DiskLatency Reads(uint32_t dev, uint64_t ns, uint32_t count = 200) {
    return {dev, {count, ns, ns, count * 4096ull}, {}};
  }
  void Run(uint64_t seconds, std::vector<DiskLatency> disks) {
    now_ = std::move(disks);
    Tick(seconds);
  }
  void Restart() {
    detectors_.clear();
    Begin();
  }

  TempDir dir_;
  WorkerTasks tasks_;
  std::map<std::string, int> runs_;
  std::deque<std::function<void()>> reports_;
  std::vector<DiskLatency> now_;
};

TEST_F(IoSlowTest, TenTimesAsSlowIsAnEventAfterSomeSecondsAndEndsWithTheSlowness) {
  Begin();
  Run(700, {Reads(kSda, 2 * kMs)});
  Run(12, {Reads(kSda, 20 * kMs)});
  EXPECT_TRUE(events_.empty());
  Run(8, {Reads(kSda, 20 * kMs)});
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
  EXPECT_EQ(last().severity(), v1::WARNING);
  EXPECT_EQ(last().domain(), v1::OTHER);
  EXPECT_EQ(last().subject().id(), "wwid:sda");
  EXPECT_EQ(FactOf(last(), "op"), "read");
  EXPECT_EQ(last().summary(), "sda: reads take 20 ms (p50), 10 times as long as usual");
  Run(60, {Reads(kSda, 20 * kMs)});
  EXPECT_EQ(phase(), EventPhase::kUpdated);
  const std::string id = last().id();
  Run(60, {Reads(kSda, 2 * kMs)});
  EXPECT_EQ(phase(), EventPhase::kEnded);
  EXPECT_EQ(last().id(), id);
  EXPECT_GT(last().duration_ns(), 60 * kSecond);
}

TEST_F(IoSlowTest, ABurstOfAFewSecondsIsNone) {
  Begin();
  Run(700, {Reads(kSda, 2 * kMs)});
  for (int i = 0; i < 10; ++i) {
    Run(4, {Reads(kSda, 50 * kMs)});
    Run(20, {Reads(kSda, 2 * kMs)});
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoSlowTest, NothingIsSaidBeforeEnoughIsKnownOrOfTooFewIos) {
  Begin();
  Run(300, {Reads(kSda, 2 * kMs)});
  Run(60, {Reads(kSda, 50 * kMs)});
  EXPECT_TRUE(events_.empty());
  Run(900, {Reads(kSdb, 2 * kMs)});
  Run(60, {Reads(kSdb, 50 * kMs, 1)});
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoSlowTest, MoreThroughputIsNoAlarm) {
  Begin();
  Run(700, {Reads(kSda, 2 * kMs)});
  Run(60, {Reads(kSda, 40 * kMs, 4000)});
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoSlowTest, EndsWhenTheDiskIsIdleOrGone) {
  Begin();
  Run(700, {Reads(kSda, 2 * kMs), Reads(kSdb, 2 * kMs)});
  Run(30, {Reads(kSda, 20 * kMs), Reads(kSdb, 20 * kMs)});
  Uevent gone{"remove", "block", "disk", "/devices/x", {{"MAJOR", "8"}, {"MINOR", "16"}}};
  for (auto& detector : detectors_) detector->OnUevent(gone);
  EXPECT_EQ(phase(), EventPhase::kEnded);
  EXPECT_EQ(last().subject().name(), "sdb");
  Run(80, {});
  EXPECT_EQ(phase(), EventPhase::kEnded);
  EXPECT_EQ(last().subject().name(), "sda");
}

TEST_F(IoSlowTest, SiblingsTellADiskFromWhatItShares) {
  const uint32_t sdc = kSdb + 16;
  names_[sdc] = "sdc";
  models_ = {{kSda, "M1"}, {kSdb, "M1"}, {sdc, "M1"}};
  Begin();
  Run(700, {Reads(kSda, 2 * kMs), Reads(kSdb, 2 * kMs), Reads(sdc, 2 * kMs)});
  Run(30, {Reads(kSda, 20 * kMs), Reads(kSdb, 2 * kMs), Reads(sdc, 2 * kMs)});
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(FactOf(last(), "siblings"), "0 of 2 slow too: this disk alone");
  Run(60, {Reads(kSda, 2 * kMs), Reads(kSdb, 2 * kMs), Reads(sdc, 2 * kMs)});
  EXPECT_EQ(phase(), EventPhase::kEnded);
  Run(70, {Reads(kSda, 20 * kMs), Reads(kSdb, 20 * kMs), Reads(sdc, 20 * kMs)});
  EXPECT_EQ(FactOf(last(), "siblings"), "2 of 2 slow too: a cause that they share");
}

TEST_F(IoSlowTest, DisksBelowOneMdAreSiblings) {
  const uint32_t sdc = kSdb + 16;
  names_[sdc] = "sdc";
  models_ = {{kSda, "M1"}, {kSdb, "M2"}, {sdc, "M3"}};
  related_ = {{kSda, {"md:1"}}, {kSdb, {"mount:/", "md:1"}}, {sdc, {"md:1"}}};
  Begin();
  Run(700, {Reads(kSda, 2 * kMs), Reads(kSdb, 2 * kMs), Reads(sdc, 2 * kMs)});
  Run(30, {Reads(kSda, 20 * kMs), Reads(kSdb, 2 * kMs), Reads(sdc, 2 * kMs)});
  EXPECT_EQ(FactOf(last(), "siblings"), "0 of 2 slow too: this disk alone");
}

TEST_F(IoSlowTest, WhatWasLearnedSurvivesARestart) {
  Begin();
  for (int i = 0; i < 7; ++i) {
    Run(100, {Reads(kSda, 2 * kMs)});
    Deliver();
  }
  EXPECT_EQ(runs_["baselines.save"], 2);  // after 300 and 600 s
  bool stopped = false;
  for (auto& detector : detectors_) stopped = detector->OnStop() && stopped;
  Deliver();
  for (auto& detector : detectors_) EXPECT_TRUE(detector->OnStop());
  EXPECT_EQ(runs_["baselines.save"], 3);
  Restart();
  Run(20, {Reads(kSda, 20 * kMs)});
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
}

TEST_F(IoSlowTest, NothingIsSavedBeforeWhatThereIsHasBeenLoaded) {
  Start();
  Run(1000, {Reads(kSda, 2 * kMs)});
  for (auto& detector : detectors_) EXPECT_TRUE(detector->OnStop());
  EXPECT_EQ(runs_["baselines.save"], 0);
}

TEST_F(IoSlowTest, ADamagedFileIsSetAsideAndLearnedAnew) {
  ASSERT_TRUE(WriteFile(dir_.path() / "baselines.pb", "rubbish"));
  Begin();
  EXPECT_FALSE(Exists(dir_.path() / "baselines.pb"));
  EXPECT_TRUE(Exists(dir_.path() / "baselines.pb.damaged"));
  Run(700, {Reads(kSda, 2 * kMs)});
  Deliver();
  EXPECT_TRUE(Exists(dir_.path() / "baselines.pb"));
  Run(20, {Reads(kSda, 20 * kMs)});
  EXPECT_FALSE(events_.empty());
}

TEST(BaselineFile, EveryFlippedByteIsNoticed) {
  v1::Baselines baselines;
  baselines.add_disks()->set_id("wwid:1");
  baselines.mutable_disks(0)->set_read("abc");
  const std::string bytes = FormatBaselineFile(baselines);
  ASSERT_TRUE(ParseBaselineFile(bytes));
  EXPECT_EQ(ParseBaselineFile(bytes)->disks(0).id(), "wwid:1");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto parsed = ParseBaselineFile(damaged);
    EXPECT_TRUE(!parsed || parsed->SerializeAsString() == baselines.SerializeAsString()) << i;
  }
  EXPECT_FALSE(ParseBaselineFile(bytes.substr(0, bytes.size() / 2)));
  EXPECT_FALSE(ParseBaselineFile(""));
}

TEST_F(IoSlowTest, DisksAreBounded) {
  Begin();
  std::vector<DiskLatency> disks;
  for (uint32_t i = 0; i < 5000; ++i) {
    names_[kSda + i * 16] = "d" + std::to_string(i);
    disks.push_back(Reads(kSda + i * 16, 2 * kMs));
  }
  Run(20, disks);
  bool stopped = true;
  for (auto& detector : detectors_) stopped = detector->OnStop() && stopped;
  Deliver();
  const auto saved = ParseBaselineFile(*ReadFile(dir_.path() / "baselines.pb"));
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->disks_size(), 1024);
}

}  // namespace
}  // namespace ffdc
