// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

constexpr uint32_t kMountDev = 45;
using State = PathState::State;

class PathTest : public testing::Test {
 protected:
  PathTest() : ids_(clock_) {
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.disk_by_name = [](const std::string& name) { return name == "dm-0" ? 253u << 20 : 0; };
    world.whole_disk = [](uint32_t dev) { return dev; };
    world.subject = [](uint32_t dev) {
      v1::Subject subject;
      subject.set_type("block_device");
      subject.set_id(dev == 253u << 20 ? "dm:mpath-a" : "dev:other");
      subject.set_name("dm-0");
      subject.add_used_by("/srv (ext4)");
      return subject;
    };
    world.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      client.set_type("systemd_unit");
      client.set_name("unit" + std::to_string(id));
      client.set_cgroup("/unit" + std::to_string(id));
      return client;
    };
    world.blocked_tasks = [this] { return tasks_; };
    detectors_ = MakeDetectors(
        world, [this](const v1::Event& event, EventPhase phase) { events_.emplace_back(event, phase); });
  }

  PathState Path(State state, uint32_t left, const std::string& path = "sdb [1:0:0:0]") const {
    PathState seen;
    seen.subject_type = "block_device";
    seen.subject_id = "dm:mpath-a";
    seen.subject_name = "dm-0 (mpatha)";
    seen.transport = "dm-multipath";
    seen.path = path;
    seen.detail = state == State::kLive ? "active" : "failed";
    seen.state = state;
    seen.paths_left = left;
    seen.paths_total = 2;
    seen.time_ns = clock_.now_ns;
    seen.related_ids = {"wwid:sdb", "mount:/srv"};
    return seen;
  }
  PathState Nfs(State state) const {
    PathState seen;
    seen.subject_type = "nfs_server";
    seen.subject_id = "nfs:10.0.0.1:/export";
    seen.subject_name = "10.0.0.1:/export";
    seen.transport = "nfs";
    seen.path = "10.0.0.1:2049";
    seen.detail = "Connection refused";
    seen.state = state;
    seen.paths_left = state == State::kLive ? 1 : 0;
    seen.paths_total = state == State::kTroubled ? 0 : 1;
    seen.time_ns = clock_.now_ns;
    seen.mount_devs = {kMountDev};
    return seen;
  }
  void See(const PathState& state) {
    for (auto& detector : detectors_) detector->OnPath(state);
  }
  void Pass(uint64_t ns) {
    for (uint64_t half = 0; half < ns; half += kSecond / 2) {
      clock_.now_ns += kSecond / 2;
      for (auto& detector : detectors_) detector->OnPoll();
      if (half % kSecond != 0) {
        for (auto& detector : detectors_) detector->OnTick({});
      }
    }
  }
  // "opened path.lost", one a line.
  std::string Story() const {
    std::string story;
    for (const auto& [event, phase] : events_) {
      if (phase == EventPhase::kUpdated) continue;
      story += (phase == EventPhase::kOpened ? "opened " : "ended ") + event.kind() + "\n";
    }
    return story;
  }

  FakeClock clock_;
  UuidGenerator ids_;
  std::vector<BlockedTask> tasks_;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

TEST_F(PathTest, OneOfTwoPathsIsDegradedAndSaysWhich) {
  See(Path(State::kLost, 1));
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.kind(), "path.degraded");
  EXPECT_EQ(event.severity(), v1::WARNING);
  EXPECT_EQ(event.domain(), v1::X1);
  EXPECT_EQ(event.summary(), "mpatha: path sdb [1:0:0:0] failed, 1 of 2 left");
  EXPECT_EQ(event.subject().id(), "dm:mpath-a");
  EXPECT_EQ(event.subject().name(), "dm-0");
  EXPECT_EQ(event.subject().used_by(0), "/srv (ext4)");
  EXPECT_EQ(event.related_ids(0), "wwid:sdb");
}

TEST_F(PathTest, TheLastPathUpgradesAndAPartialReturnDowngrades) {
  See(Path(State::kLost, 1));
  clock_.now_ns += kSecond;
  See(Path(State::kLost, 0, "sda [0:0:0:0]"));
  clock_.now_ns += kSecond;
  See(Path(State::kLive, 1, "sda [0:0:0:0]"));
  clock_.now_ns += kSecond;
  See(Path(State::kLive, 2));
  EXPECT_EQ(Story(),
            "opened path.degraded\nended path.degraded\nopened path.lost\nended path.lost\n"
            "opened path.degraded\nended path.degraded\nopened path.restored\nended path.restored\n");
  EXPECT_EQ(events_.back().first.summary(), "mpatha: all 2 paths are back after 3.0 s");
  EXPECT_EQ(events_.back().first.severity(), v1::INFO);
}

TEST_F(PathTest, AllPathsIsCritical) {
  See(Path(State::kLost, 0));
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.severity(), v1::CRITICAL);
  EXPECT_EQ(events_[0].first.summary(), "mpatha: path sdb [1:0:0:0] failed, no path left");
}

TEST_F(PathTest, AFlappingPathIsOnePairOfEventsIn10SecondsAndCounted) {
  for (int i = 0; i < 8; ++i) {
    See(Path(State::kLost, 1));
    Pass(kSecond / 2);
    See(Path(State::kLive, 2));
    Pass(kSecond / 2);
  }
  EXPECT_EQ(Story(),
            "opened path.degraded\nended path.degraded\nopened path.restored\nended path.restored\n"
            "opened path.degraded\n");
  Pass(11 * kSecond);
  EXPECT_EQ(events_.back().first.kind(), "path.restored");
  EXPECT_EQ(std::count_if(events_.begin(), events_.end(),
                          [](const auto& e) {
                            return e.first.kind() == "path.restored" && e.second == EventPhase::kOpened;
                          }),
            2);
  const auto& facts = events_.back().first.facts();
  const auto flaps =
      std::find_if(facts.begin(), facts.end(), [](const v1::Fact& f) { return f.name() == "flaps"; });
  ASSERT_NE(flaps, facts.end());
  EXPECT_EQ(flaps->value(), "6");
}

TEST_F(PathTest, TwoTransportsOfOneSubjectMustBothBeWell) {
  PathState session = Path(State::kLost, 1);
  session.transport = "iscsi";
  See(session);
  See(Path(State::kLost, 1));
  session.state = State::kLive;
  session.paths_left = 2;
  See(session);
  EXPECT_EQ(Story(), "opened path.degraded\n");
  See(Path(State::kLive, 2));
  EXPECT_EQ(events_.back().first.kind(), "path.restored");
}

TEST_F(PathTest, ARefusedConnectionIsNoLossWhileNobodyWaits) {
  See(Nfs(State::kTroubled));
  Pass(20 * kSecond);
  EXPECT_TRUE(events_.empty());
  See(Nfs(State::kLive));
  Pass(kSecond);
  EXPECT_TRUE(events_.empty());
}

TEST_F(PathTest, ARefusedConnectionIsALossWhenSomebodyWaitsAndNamesHim) {
  BlockedTask task;
  task.pid = task.tgid = 77;
  task.comm = "dd";
  task.cgroup_id = 5;
  task.file_dev = kMountDev;
  task.file_system = "nfs4";
  task.frames = {"rpc_wait_bit_killable+0x11/0x70", "__wait_on_bit+0x2f/0x90"};
  tasks_ = {task};
  See(Nfs(State::kTroubled));
  Pass(kSecond);
  EXPECT_TRUE(events_.empty());  // not yet stall_after
  Pass(2 * kSecond);
  ASSERT_FALSE(events_.empty());
  const v1::Event& event = events_.back().first;
  EXPECT_EQ(event.kind(), "path.lost");
  ASSERT_EQ(event.waiters_size(), 1);
  EXPECT_EQ(event.waiters(0).waits_in(), "rpc_wait_bit_killable");
  EXPECT_EQ(event.clients(0).name(), "unit5");
  tasks_.clear();  // it was killed: the server is still gone
  Pass(5 * kSecond);
  EXPECT_EQ(Story(), "opened path.lost\n");
  See(Nfs(State::kLive));
  EXPECT_EQ(events_.back().first.kind(), "path.restored");
  EXPECT_EQ(events_.back().first.summary(), "10.0.0.1:/export: the path is back after 8.0 s");
}

TEST_F(PathTest, WaitersOfOthersAreNotNamed) {
  BlockedTask task;
  task.pid = 78;
  task.file_dev = kMountDev + 1;
  task.frames = {"rpc_wait_bit_killable+0x11/0x70"};
  tasks_ = {task};
  See(Nfs(State::kTroubled));
  Pass(5 * kSecond);
  EXPECT_TRUE(events_.empty());
}

TEST_F(PathTest, WhatIsRemovedWhileLostEndsWithoutBeingRestored) {
  See(Path(State::kLost, 0));
  PathState gone = Path(State::kLost, 0);
  gone.paths_total = 0;
  See(gone);
  EXPECT_EQ(Story(), "opened path.lost\n");
  Pass(61 * kSecond);
  EXPECT_EQ(Story(), "opened path.lost\nended path.lost\n");
}

TEST_F(PathTest, LivePathsAndOnesThatStandByAreNoNews) {
  See(Path(State::kLive, 2));
  PathState standby = Path(State::kTroubled, 1);
  standby.paths_total = 1;
  See(standby);
  Pass(10 * kSecond);
  EXPECT_TRUE(events_.empty());
}

}  // namespace
}  // namespace ffdc
