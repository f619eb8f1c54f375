// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

constexpr uint32_t kSdaPart = kSda | 1;
constexpr uint32_t kSdb = kSda | 16;

class IoStallTest : public testing::Test {
 protected:
  IoStallTest() : ids_(clock_) {
    names_ = {{kSda, "sda"}, {kSdb, "sdb"}, {kDm, "dm-0"}};
    for (const auto& [dev, name] : names_) flows_[dev].dev = dev;
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.subject = [this](uint32_t dev) {
      v1::Subject subject;
      subject.set_name(names_[dev]);
      subject.set_id("id:" + names_[dev]);
      if (dev == kSda) subject.add_used_by("sda1");
      if (dev == kSda) subject.add_used_by("dm-0 (data)");
      return subject;
    };
    world.related = [](uint32_t dev) {
      return std::vector<std::string>{dev == kSda ? "id:dm-0" : dev == kDm ? "id:sda" : "mount:/srv"};
    };
    world.watched = [](uint32_t) { return true; };
    world.whole_disk = [](uint32_t dev) { return dev == kSdaPart ? kSda : dev; };
    world.disk_flows = [this] {
      std::vector<DiskFlow> flows;
      for (const auto& [dev, flow] : flows_) flows.push_back(flow);
      return flows;
    };
    world.blocked_tasks = [this] {
      ++walks_;
      clock_.now_ns += walk_ns_;
      return tasks_;
    };
    world.tightly_limited = [this](uint64_t id, uint32_t) -> std::optional<std::vector<uint32_t>> {
      if (id == gone_cgroup_) return std::nullopt;
      return id == limited_cgroup_ ? std::vector<uint32_t>{limited_disk_} : std::vector<uint32_t>();
    };
    world.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      if (id == 0) return client;
      client.set_type("systemd_unit");
      client.set_name("unit" + std::to_string(id));
      client.set_cgroup("/unit" + std::to_string(id));
      return client;
    };
    detectors_ = MakeDetectors(world, [this](const v1::Event& event, EventPhase phase) {
      if (event.kind() == "io.stall") events_.emplace_back(event, phase);
    });
    Poll();
  }

  void Poll() {
    clock_.now_ns += 500 * kMs;
    for (auto& detector : detectors_) detector->OnPoll();
    if (++polls_ % 2 == 0) {
      for (auto& detector : detectors_) detector->OnTick({});
    }
  }
  void PollFor(uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 500) Poll();
  }
  BlockedTask& AddTask(uint32_t dev, const std::string& frame = "blk_io_schedule+0x1/0x2") {
    BlockedTask& task = tasks_.emplace_back();
    task.pid = task.tgid = static_cast<uint32_t>(100 + tasks_.size());
    task.start_ns = 1;
    task.switches = 7;
    task.cgroup_id = 5;
    task.file_dev = dev;
    task.comm = "dd";
    task.frames = {frame, "read+0x1/0x2"};
    return task;
  }
  [[nodiscard]] std::string Fact(const v1::Event& event, const std::string& name) const {
    for (const v1::Fact& fact : event.facts())
      if (fact.name() == name) return fact.value();
    return "";
  }
  [[nodiscard]] size_t Opened() const {
    return static_cast<size_t>(std::count_if(
        events_.begin(), events_.end(), [](const auto& sent) { return sent.second == EventPhase::kOpened; }));
  }

  FakeClock clock_;
  UuidGenerator ids_;
  std::map<uint32_t, std::string> names_;
  std::map<uint32_t, DiskFlow> flows_;
  std::vector<BlockedTask> tasks_;
  uint64_t limited_cgroup_ = 0;
  uint64_t gone_cgroup_ = 99;
  uint32_t limited_disk_ = 0;
  uint64_t walk_ns_ = 0;
  int walks_ = 0;
  int polls_ = 0;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

TEST_F(IoStallTest, ARequestInFlightAndNoCompletion) {
  flows_[kSda].in_flight = 3;
  PollFor(2000);
  EXPECT_TRUE(events_.empty()) << "in flight for 1.5 s, as far as is known";
  Poll();
  ASSERT_EQ(events_.size(), 1u);
  const auto& [event, phase] = events_[0];
  EXPECT_EQ(phase, EventPhase::kOpened);
  EXPECT_EQ(event.domain(), v1::X1);
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.subject().id(), "id:sda");
  EXPECT_EQ(event.related_ids(0), "id:dm-0");
  EXPECT_EQ(Fact(event, "in_flight"), "3");
  EXPECT_EQ(Fact(event, "waiting_ns"), "2000000000");
  EXPECT_EQ(event.detected_mono_ns() - event.first_mono_ns(), 2000 * kMs);
  EXPECT_EQ(event.summary(), "sda: no I/O ended for 2.0 s, 3 in flight");
}

TEST_F(IoStallTest, EndsWithItsDurationWhenSomethingCompletes) {
  flows_[kSda].in_flight = 1;
  PollFor(4500);
  ASSERT_EQ(Opened(), 1u);
  EXPECT_EQ(events_.back().second, EventPhase::kUpdated);
  flows_[kSda] = {.dev = kSda, .completed = 1};
  Poll();
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  EXPECT_EQ(events_.back().first.duration_ns(), 4500 * kMs);
  const size_t sent = events_.size();
  PollFor(5000);
  EXPECT_EQ(events_.size(), sent);
}

TEST_F(IoStallTest, IsUpdatedOnceASecond) {
  flows_[kSda].in_flight = 1;
  PollFor(12'500);
  EXPECT_LE(events_.size(), 12u);
  EXPECT_GE(events_.size(), 9u);
}

TEST_F(IoStallTest, ABusyDiskIsNotStalled) {
  flows_[kSda].in_flight = 100;
  AddTask(kSda);
  for (int i = 0; i < 40; ++i) {
    if (i % 3 == 0) ++flows_[kSda].completed;
    Poll();
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoStallTest, ATaskThatWaitsThoughNothingIsInFlight) {
  AddTask(kSdaPart);
  PollFor(2500);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.subject().name(), "sda");
  ASSERT_EQ(event.waiters_size(), 1);
  EXPECT_EQ(event.waiters(0).pid(), 101u);
  EXPECT_EQ(event.waiters(0).comm(), "dd");
  EXPECT_EQ(event.waiters(0).waits_in(), "blk_io_schedule");
  EXPECT_EQ(event.waiters(0).waiting_ns(), 2000 * kMs);
  EXPECT_EQ(event.waiters(0).client().name(), "unit5");
  EXPECT_EQ(event.clients(0).name(), "unit5");
  EXPECT_EQ(event.summary(), "sda: no I/O ended for 2.0 s, dd (pid 101) waits in blk_io_schedule");
  tasks_.clear();
  Poll();
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  EXPECT_EQ(events_.back().first.waiters_size(), 1) << "who waited stays known";
}

TEST_F(IoStallTest, ATaskThatSleepsAgainAndAgainIsNotStalled) {
  BlockedTask& task = AddTask(kSda);
  for (int i = 0; i < 20; ++i) {
    if (i % 3 == 0) ++task.switches;
    Poll();
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoStallTest, ANumberUsedAgainIsAnotherTask) {
  BlockedTask& task = AddTask(kSda);
  for (int i = 0; i < 20; ++i) {
    if (i % 3 == 0) ++task.start_ns;
    Poll();
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoStallTest, LocksAndThrottlingAreNoStall) {
  AddTask(kSda, "rwsem_down_write_slowpath+0x1/0x2");
  AddTask(kSda, "percpu_rwsem_wait+0x1/0x2");
  AddTask(0);
  BlockedTask& limited = AddTask(kSda);
  limited.cgroup_id = limited_cgroup_ = 9;
  limited_disk_ = kSda;
  PollFor(10'000);
  EXPECT_TRUE(events_.empty());
  limited_disk_ = kSdb;  // a limit on another disk explains nothing
  Poll();
  EXPECT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.waiters_size(), 4) << "those behind it are named then";
}

TEST_F(IoStallTest, AThrottledDiskBelowIsNoStallOfTheUpper) {
  flows_[kDm].in_flight = 1;
  flows_[kDm].stacked = true;
  flows_[kDm].cgroup_id = limited_cgroup_ = 9;
  limited_disk_ = kSda;
  PollFor(10'000);
  EXPECT_TRUE(events_.empty());
  flows_[kDm].cgroup_id = 10;
  Poll();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.clients(0).name(), "unit10") << "known without a task that waits";
}

TEST_F(IoStallTest, OfACgroupThatIsGoneNobodyKnowsTheLimits) {
  AddTask(kSda).cgroup_id = gone_cgroup_;
  flows_[kDm].in_flight = 1;
  flows_[kDm].stacked = true;
  flows_[kDm].cgroup_id = gone_cgroup_;
  PollFor(4000);
  EXPECT_TRUE(events_.empty()) << "what they held back is on its way";
  PollFor(1000);
  ASSERT_EQ(Opened(), 1u) << "it is not";
  EXPECT_EQ(events_[0].first.subject().name(), "dm-0");
}

TEST_F(IoStallTest, TheLowestDiskOfAStackHasTheEvent) {
  AddTask(kDm);
  flows_[kDm].in_flight = 1;
  flows_[kSda].in_flight = 1;
  PollFor(4000);
  ASSERT_EQ(Opened(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.subject().name(), "sda");
  EXPECT_EQ(Fact(event, "stalls"), "dm-0");
  EXPECT_EQ(event.waiters(0).pid(), 101u) << "who waits for the upper one";
  // The lower one goes on first.
  ++flows_[kSda].completed;
  flows_[kSda].in_flight = 0;
  Poll();
  ++flows_[kDm].completed;
  flows_[kDm].in_flight = 0;
  tasks_.clear();
  const size_t sent = events_.size();
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  PollFor(3000);
  EXPECT_EQ(events_.size(), sent);
}

TEST_F(IoStallTest, AnUpperDiskThatStaysSilentAloneHasAnEventOfItsOwn) {
  flows_[kDm].in_flight = 1;
  flows_[kSda].in_flight = 1;
  PollFor(3000);
  ++flows_[kSda].completed;
  flows_[kSda].in_flight = 0;
  PollFor(1000);
  EXPECT_EQ(Opened(), 2u);
  EXPECT_EQ(events_.back().first.subject().name(), "dm-0");
}

TEST_F(IoStallTest, DisksApartHaveEventsOfTheirOwn) {
  flows_[kSda].in_flight = 1;
  flows_[kSdb].in_flight = 1;
  PollFor(3000);
  EXPECT_EQ(Opened(), 2u);
}

TEST_F(IoStallTest, OneWaiterAfterAnotherIsOneStall) {
  AddTask(kSda);
  PollFor(4000);
  ASSERT_EQ(Opened(), 1u);
  for (int i = 0; i < 10; ++i) {
    ++tasks_[0].start_ns;
    Poll();
  }
  EXPECT_EQ(Opened(), 1u);
  EXPECT_NE(events_.back().second, EventPhase::kEnded);
}

TEST_F(IoStallTest, ADiskThatIsGoneIsNotStalledAnyMore) {
  flows_[kSda].in_flight = 1;
  PollFor(3000);
  flows_.erase(kSda);
  Poll();
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
}

TEST_F(IoStallTest, APausedMachineIsNoStall) {
  flows_[kSda].in_flight = 1;
  Poll();
  clock_.now_ns += 3'600'000 * kMs;
  Poll();
  EXPECT_TRUE(events_.empty());
  PollFor(1500);
  EXPECT_TRUE(events_.empty());
  Poll();
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(IoStallTest, AWalkThatCostsMuchIsTakenLessOften) {
  walk_ns_ = kMs;
  Poll();
  walks_ = 0;
  PollFor(10'000);
  EXPECT_GE(walks_, 9);
  EXPECT_LE(walks_, 11);
  AddTask(kSda);
  Poll();
  walks_ = 0;
  PollFor(2500);
  EXPECT_EQ(walks_, 5) << "when something may be wrong, it may cost more";
  EXPECT_EQ(Opened(), 1u);
}

}  // namespace
}  // namespace ffdc
