// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"
#include "ffdc/abi/fault.h"
#include "ffdc/abi/task.h"

namespace ffdc {
namespace {

class TaskHungTest : public testing::Test {
 protected:
  TaskHungTest() : ids_(clock_) {
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.watched = [](uint32_t) { return true; };
    world.whole_disk = [](uint32_t dev) { return dev; };
    world.subject = [](uint32_t) {
      v1::Subject subject;
      subject.set_id("dm:LVM-1");
      return subject;
    };
    world.related = [](uint32_t) { return std::vector<std::string>{"mount:/srv"}; };
    world.blocked_tasks = [this] { return tasks_; };
    world.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      client.set_type("systemd_unit");
      client.set_name("unit" + std::to_string(id));
      return client;
    };
    detectors_ = MakeDetectors(world, [this](const v1::Event& event, EventPhase phase) {
      if (event.kind() == "task.hung") events_.emplace_back(event, phase);
    });
  }
  void Hang(uint32_t pid, uint32_t dev = kDm, bool new_task = true) {
    ffdc_task_hung record{};
    record.header = {FFDC_FAULT_TASK_HUNG, sizeof record, clock_.now_ns};
    record.pid = record.tgid = pid;
    record.start_ns = 5;
    record.switches = 9;
    record.cgroup_id = 3;
    record.dev = dev;
    memcpy(record.comm, "writer", 7);
    if (new_task) {
      BlockedTask& task = tasks_.emplace_back();
      task.pid = pid;
      task.start_ns = 5;
      task.switches = 9;
      task.frames = {"jbd2_log_wait_commit+0x1/0x2"};
    }
    for (auto& detector : detectors_) detector->OnRecord(record.header);
  }
  void Tick() {
    clock_.now_ns += kSecond;
    for (auto& detector : detectors_) detector->OnTick({});
  }

  FakeClock clock_;
  UuidGenerator ids_;
  std::vector<BlockedTask> tasks_;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

TEST_F(TaskHungTest, IsTheNodesAndRelatedToTheDisk) {
  Hang(77);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.domain(), v1::X2);
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.subject().id(), "node:node-a");
  ASSERT_EQ(event.related_ids_size(), 2);
  EXPECT_EQ(event.related_ids(0), "dm:LVM-1");
  EXPECT_EQ(event.waiters(0).comm(), "writer");
  EXPECT_EQ(event.clients(0).name(), "unit3");
  EXPECT_EQ(event.summary(), "1 task hangs: writer (pid 77)");
  Tick();
  EXPECT_EQ(events_.back().first.waiters(0).waits_in(), "jbd2_log_wait_commit");
}

TEST_F(TaskHungTest, OneEventForAllTasksAndOneCountForEach) {
  Hang(77);
  Hang(78);
  Tick();
  Hang(77, kDm, false);  // khungtaskd looks again
  Tick();
  const v1::Event& event = events_.back().first;
  EXPECT_EQ(event.count(), 2u);
  EXPECT_EQ(event.waiters_size(), 2);
  EXPECT_EQ(event.related_ids_size(), 2);
}

TEST_F(TaskHungTest, EndsWhenAllWentOn) {
  Hang(77, 0);
  Hang(78, 0);
  tasks_.erase(tasks_.begin());
  Tick();
  EXPECT_EQ(events_.back().second, EventPhase::kUpdated);
  EXPECT_EQ(events_.back().first.waiters_size(), 1);
  ++tasks_[0].switches;
  Tick();
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  EXPECT_EQ(events_.back().first.duration_ns(), 2 * kSecond);
  EXPECT_EQ(events_.back().first.related_ids_size(), 0);
  Hang(77, 0);
  EXPECT_EQ(events_.back().second, EventPhase::kOpened);
}

}  // namespace
}  // namespace ffdc
