// SPDX-License-Identifier: Apache-2.0
#include "incident/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/incident/manager_fixture.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

TEST_F(ManagerTest, FirstEventOpensRepeatsJoin) {
  v1::Event event = Event("loop:/a", "e1");
  manager_->OnEvent(event, false);
  event.set_count(500);
  manager_->OnEvent(event, false);
  ASSERT_EQ(opened_.size(), 1u);
  const v1::Incident* incident = manager_->Get(opened_[0]);
  EXPECT_EQ(incident->events_size(), 1);
  EXPECT_EQ(incident->events(0).count(), 500u);
  EXPECT_EQ(incident->events(0).incident_id(), incident->id());
  EXPECT_EQ(incident->state(), v1::OPEN);
  EXPECT_EQ(incident->captures(0).state(), v1::COLLECTING);
  EXPECT_EQ(incident->completeness().missing(0), "node-a: still collecting");
  EXPECT_FALSE(incident->repeat());
}

TEST_F(ManagerTest, AnotherSubjectIsAnotherIncident) {
  manager_->OnEvent(Event("loop:/a", "e1"), false);
  manager_->OnEvent(Event("loop:/b", "e2"), false);
  EXPECT_EQ(opened_.size(), 2u);
}

TEST_F(ManagerTest, ClosesWhenItsEventsEndedAndItIsQuiet) {
  const v1::Event event = Event("loop:/a", "e1");
  manager_->OnEvent(event, false);
  clock_.now_ns += 61 * kSecond;
  manager_->Tick();
  EXPECT_TRUE(closed_.empty()) << "its event has not ended";
  manager_->OnEvent(event, true);
  manager_->Tick();
  ASSERT_EQ(closed_, opened_);
  EXPECT_EQ(written_[opened_[0]].state(), v1::CLOSED);
}

TEST_F(ManagerTest, AFailureAfterTheQuietIsANewIncidentAndARepeat) {
  v1::Event event = Event("loop:/a", "e1");
  manager_->OnEvent(event, false);
  manager_->Adopt(Sealed(opened_[0], event));
  manager_->OnEvent(event, true);
  clock_.now_ns += 61 * kSecond;
  manager_->Tick();
  manager_->OnEvent(Event("loop:/a", "e2"), false);
  ASSERT_EQ(opened_.size(), 2u);
  EXPECT_TRUE(manager_->Get(opened_[1])->repeat());
}

TEST_F(ManagerTest, ARestartInTheMiddleJoinsTheOpenIncident) {
  manager_->OnEvent(Event("loop:/a", "e1"), false);
  std::vector<v1::Incident> known;
  for (const auto& [id, incident] : written_) known.push_back(incident);
  manager_ = Make();
  manager_->Load(known);
  manager_->OnEvent(Event("loop:/a", "e2"), false);
  EXPECT_EQ(opened_.size(), 1u);
  EXPECT_EQ(manager_->Get(opened_[0])->events_size(), 2);
  manager_->OnEvent(Event("loop:/a", "e2"), true);
  clock_.now_ns += 61 * kSecond;
  manager_->Tick();
  EXPECT_EQ(closed_.size(), 1u);
}

TEST_F(ManagerTest, CaptureStatesAndCompleteness) {
  const v1::Event event = Event("loop:/a", "e1");
  manager_->OnEvent(event, false);
  const v1::Manifest manifest = Sealed(opened_[0], event);
  manager_->Adopt(manifest);
  const v1::Incident* incident = manager_->Get(opened_[0]);
  EXPECT_EQ(incident->captures(0).state(), v1::SEALED);
  EXPECT_EQ(incident->captures(0).collectors_ok(), 1u);
  EXPECT_EQ(incident->captures(0).collectors_failed(), 1u);
  EXPECT_FALSE(incident->completeness().complete());
  manager_->CaptureStored(manifest, "dir:/store");
  EXPECT_EQ(incident->captures(0).state(), v1::STORED);
  EXPECT_TRUE(incident->completeness().complete());
  manager_->Adopt(manifest);  // told twice, in the wrong order
  EXPECT_EQ(incident->captures(0).state(), v1::STORED);
  EXPECT_EQ(incident->captures_size(), 1);
}

TEST_F(ManagerTest, LossesMakeACaptureIncompleteNotesDoNot) {
  for (const uint64_t count : {0, 1}) {
    const v1::Event event = Event("loop:/" + std::to_string(count), "e" + std::to_string(count));
    manager_->OnEvent(event, false);
    v1::Manifest manifest = Sealed(opened_.back(), event);
    v1::Loss& loss = *manifest.add_losses();
    loss.set_what("block_state.debugfs");
    loss.set_count(count);
    manager_->CaptureStored(manifest, "dir:/store");
    EXPECT_EQ(manager_->Get(opened_.back())->completeness().complete(), count == 0);
  }
}

TEST_F(ManagerTest, ASealedCaptureBringsBackAnIncidentTheIndexLost) {
  const std::string id = ids_.Next();
  manager_->Adopt(Sealed(id, Event("loop:/a", "e1")));
  const v1::Incident* incident = manager_->Get(id);
  ASSERT_NE(incident, nullptr);
  EXPECT_EQ(incident->subject().id(), "loop:/a");
  EXPECT_EQ(incident->state(), v1::CLOSED);
  EXPECT_EQ(incident->captures(0).state(), v1::SEALED);
  EXPECT_TRUE(opened_.empty()) << "nothing new to capture";
}

// Somebody sets the node's clock back by an hour, or ahead: only the monotonic clock decides.
TEST_F(ManagerTest, AStepOfTheWallClockClosesNothingAndKeepsNothingOpen) {
  const v1::Event event = Event("loop:/a", "e1");
  manager_->OnEvent(event, false);
  manager_->OnEvent(event, true);
  clock_.wall_ns -= 3600 * static_cast<int64_t>(kSecond);
  clock_.now_ns += 30 * kSecond;
  manager_->Tick();
  EXPECT_TRUE(closed_.empty());
  manager_->OnEvent(Event("loop:/a", "e2"), false);
  EXPECT_EQ(opened_.size(), 1u) << "still the same incident";
  manager_->OnEvent(Event("loop:/a", "e2"), true);
  clock_.wall_ns += 7200 * static_cast<int64_t>(kSecond);
  clock_.now_ns += 59 * kSecond;
  manager_->Tick();
  EXPECT_TRUE(closed_.empty());
  clock_.now_ns += 2 * kSecond;
  manager_->Tick();
  EXPECT_EQ(closed_, opened_);
}

TEST_F(ManagerTest, FindsByUniquePrefix) {
  manager_->OnEvent(Event("loop:/a", "e1"), false);
  manager_->OnEvent(Event("loop:/b", "e2"), false);
  EXPECT_EQ((*manager_->Find(opened_[1]))->id(), opened_[1]);
  const auto ambiguous = manager_->Find(opened_[0].substr(0, 8));
  ASSERT_FALSE(ambiguous);
  EXPECT_THAT(ambiguous.error().message, HasSubstr("ambiguous"));
  const auto missing = manager_->Find("ffff");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_FALSE(manager_->Find(""));
}

TEST_F(ManagerTest, ManualIncidentsAreClosedAndNeverJoined) {
  const std::string first = manager_->OpenManual("before the update").id();
  const std::string second = manager_->OpenManual("").id();
  EXPECT_NE(first, second);
  EXPECT_EQ(opened_.size(), 2u);
  EXPECT_EQ(manager_->Get(first)->state(), v1::CLOSED);
  EXPECT_EQ(manager_->Get(first)->reason(), "before the update");
  EXPECT_EQ(manager_->Get(first)->domain(), v1::REQUESTED);
  EXPECT_EQ(manager_->open(), 0u);
}

TEST_F(ManagerTest, KeepsPinnedAndOpenOnesFromRetention) {
  manager_->OnEvent(Event("loop:/a", "e1"), false);
  const std::string manual = manager_->OpenManual("x").id();
  EXPECT_EQ(manager_->KeepIds(), std::vector<std::string>{opened_[0]});
  ASSERT_TRUE(manager_->Pin(manual.substr(0, 36), true));
  EXPECT_EQ(manager_->KeepIds().size(), 2u);
  ASSERT_TRUE(manager_->Pin(manual, false));
  EXPECT_EQ(manager_->KeepIds().size(), 1u);
}

TEST_F(ManagerTest, ManyEventsOfOneIncidentAreBoundedAndTheFirstStays) {
  for (int i = 0; i < 200; ++i) {
    const v1::Event event = Event("loop:/a", "e" + std::to_string(i));
    manager_->OnEvent(event, false);
    manager_->OnEvent(event, true);
  }
  const v1::Incident* incident = manager_->Get(opened_[0]);
  EXPECT_EQ(incident->events_size(), 64);
  EXPECT_EQ(incident->events(0).id(), "e0");
  EXPECT_EQ(incident->events(1).id(), "e137");
  EXPECT_EQ(incident->events(63).id(), "e199");
  EXPECT_EQ(incident->events_left_out(), 136u);
}

}  // namespace
}  // namespace ffdc
