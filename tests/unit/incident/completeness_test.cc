// SPDX-License-Identifier: Apache-2.0
#include "incident/completeness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/incident/manager_fixture.h"

namespace ffdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::Capture MakeCapture(const std::string& node, v1::CaptureState state, const std::string& error = "") {
  v1::Capture capture;
  capture.set_node(node);
  capture.set_state(state);
  capture.set_error(error);
  return capture;
}

v1::Incident MakeCopy(const std::vector<v1::Capture>& captures, const std::string& event_node = "a") {
  v1::Incident incident;
  incident.set_id("1");
  incident.set_origin_node("a");
  v1::Event& event = *incident.add_events();
  event.set_id("e-" + event_node);
  event.set_node(event_node);
  for (const v1::Capture& capture : captures) *incident.add_captures() = capture;
  return incident;
}

std::map<std::string, v1::CaptureState> States(const v1::Incident& incident) {
  std::map<std::string, v1::CaptureState> states;
  for (const v1::Capture& capture : incident.captures()) states[capture.node()] = capture.state();
  return states;
}

TEST(CompletenessTest, NamesWhoDidNotCaptureAndWhatWasLostWhere) {
  v1::Incident incident =
      MakeCopy({MakeCapture("a", v1::STORED), MakeCapture("b", v1::UNREACHED, "no answer in time"),
                MakeCapture("c", v1::COLLECTING)});
  incident.mutable_captures(0)->add_losses()->set_what("kernel_log.cut");
  incident.mutable_captures(0)->mutable_losses(0)->set_count(1);
  SettleCompleteness(incident);
  const v1::Completeness& complete = incident.completeness();
  EXPECT_EQ(complete.expected(), 3u);
  EXPECT_EQ(complete.stored(), 1u);
  EXPECT_FALSE(complete.complete());
  EXPECT_THAT(complete.missing(), ElementsAre("b: not reached: no answer in time", "c: still collecting"));
  ASSERT_EQ(complete.losses_size(), 1);
  EXPECT_EQ(complete.losses(0).what(), "a: kernel_log.cut");
}

TEST(CompletenessTest, EachNodeKnowsItsOwnCaptureBest) {
  const v1::Incident merged =
      MergeCopies({{"a", MakeCopy({MakeCapture("a", v1::STORED), MakeCapture("b", v1::COLLECTING)})},
                   {"b", MakeCopy({MakeCapture("b", v1::STORED), MakeCapture("a", v1::COLLECTING)})}});
  EXPECT_THAT(States(merged),
              (std::map<std::string, v1::CaptureState>{{"a", v1::STORED}, {"b", v1::STORED}}));
  EXPECT_TRUE(merged.completeness().complete());
}

TEST(CompletenessTest, WithoutTheOriginTheOthersTellAndItIsMissed) {
  const v1::Incident merged = MergeCopies({{"b", MakeCopy({MakeCapture("b", v1::STORED)})}});
  EXPECT_THAT(States(merged),
              (std::map<std::string, v1::CaptureState>{{"a", v1::UNREACHED}, {"b", v1::STORED}}));
  EXPECT_FALSE(merged.completeness().complete());
}

TEST(CompletenessTest, EventsOfAllNodesComeTogether) {
  v1::Incident of_b = MakeCopy({MakeCapture("b", v1::STORED)});
  v1::Event& own = *of_b.add_events();
  own.set_id("e-b");
  own.set_node("b");
  const v1::Incident merged = MergeCopies({{"a", MakeCopy({MakeCapture("a", v1::STORED)})}, {"b", of_b}});
  ASSERT_EQ(merged.events_size(), 2);
  EXPECT_EQ(merged.events(1).id(), "e-b");
}

TEST(CompletenessTest, ReportsThatComeLateChangeNothing) {
  EXPECT_FALSE(IsNewer(MakeCapture("b", v1::COLLECTING), MakeCapture("b", v1::STORED)));
  EXPECT_FALSE(IsNewer(MakeCapture("b", v1::UNREACHED), MakeCapture("b", v1::COLLECTING)));
  EXPECT_TRUE(IsNewer(MakeCapture("b", v1::DROPPED), MakeCapture("b", v1::STORED)));
  EXPECT_TRUE(IsNewer(MakeCapture("b", v1::UNREACHED, "new"), MakeCapture("b", v1::UNREACHED, "old")));
}

using RemoteTest = ManagerTest;

v1::Incident Seed(const v1::Event& trigger) {
  v1::Incident seed;
  seed.set_id("019aaf2c-5d40-7000-8000-000000000001");
  seed.set_origin_node("node-b");
  *seed.add_events() = trigger;
  seed.mutable_events(0)->set_node("node-b");
  return seed;
}

TEST_F(RemoteTest, AnotherNodesIncidentIsKnownOnceAndOpensNoneHere) {
  const v1::Incident seed = Seed(Event("wwid:1", "e1"));
  EXPECT_TRUE(manager_->OpenRemote(seed));
  EXPECT_FALSE(manager_->OpenRemote(seed));
  EXPECT_THAT(opened_, IsEmpty());
  const v1::Incident& known = *manager_->Get(seed.id());
  EXPECT_EQ(known.origin_node(), "node-b");
  EXPECT_EQ(known.state(), v1::OPEN);
  ASSERT_EQ(known.captures_size(), 1);
  EXPECT_EQ(known.captures(0).node(), "node-a");
}

TEST_F(RemoteTest, TheSameThingFailingHereJoins) {
  const v1::Incident seed = Seed(Event("wwid:1", "e1"));
  manager_->OpenRemote(seed);
  v1::Event own = Event("wwid:1", "e2");
  own.set_node("node-a");
  EXPECT_EQ(manager_->OnEvent(own, false), seed.id());
  EXPECT_THAT(opened_, IsEmpty());
}

TEST_F(RemoteTest, IsOverWithItsOriginUnlessSomethingOfItLastsHere) {
  const v1::Incident seed = Seed(Event("wwid:1", "e1"));
  manager_->OpenRemote(seed);
  v1::Event own = Event("wwid:1", "e2");
  own.set_node("node-a");
  manager_->OnEvent(own, false);
  manager_->OriginClosed(seed.id());
  EXPECT_EQ(manager_->Get(seed.id())->state(), v1::OPEN);
  manager_->OnEvent(own, true);
  manager_->OriginClosed(seed.id());
  EXPECT_EQ(manager_->Get(seed.id())->state(), v1::CLOSED);
  EXPECT_TRUE(manager_->Get(seed.id())->has_closed_at());
  manager_->OriginClosed(seed.id());
  manager_->OriginClosed("01000000-0000-7000-8000-000000000001");
}

TEST_F(RemoteTest, WhatOnlyHasTheSameNameHereIsAnotherThing) {
  v1::Event theirs = Event("mount:/srv", "e1");
  theirs.add_related_ids("fs:1");
  const v1::Incident seed = Seed(theirs);
  manager_->OpenRemote(seed);
  v1::Event own = Event("mount:/srv", "e2");
  own.set_node("node-a");
  own.add_related_ids("fs:1");
  EXPECT_NE(manager_->OnEvent(own, false), seed.id());
  EXPECT_EQ(opened_.size(), 1u);
}

v1::Event OfNode(v1::Event event, const std::string& node) {
  event.set_node(node);
  return event;
}

TEST_F(RemoteTest, OneFailureSeenByTwoNodesGoesOnInTheOlderIncident) {
  const std::string own = manager_->OnEvent(OfNode(Event("wwid:1", "e2"), "node-a"), false);
  manager_->Expect(own, {"node-b"});
  v1::Incident seed = Seed(Event("wwid:1", "e1"));
  seed.set_id("01000000-0000-7000-8000-000000000001");
  ASSERT_LT(seed.id(), own);
  EXPECT_EQ(manager_->SameFailure(seed.events(0)), own);
  manager_->OpenRemote(seed);
  manager_->MergeInto(own, seed.id());

  const v1::Incident& merged = *manager_->Get(own);
  EXPECT_EQ(merged.merged_into(), seed.id());
  EXPECT_EQ(merged.state(), v1::CLOSED);
  // What is captured stays its own; that the other one owes a capture is over.
  ASSERT_EQ(merged.captures_size(), 1);
  EXPECT_EQ(merged.captures(0).node(), "node-a");
  const v1::Incident& older = *manager_->Get(seed.id());
  ASSERT_EQ(older.events_size(), 2);
  EXPECT_EQ(older.events(1).id(), "e2");
  EXPECT_EQ(older.events(1).incident_id(), seed.id());
  // The condition goes on there, and so does the incident.
  clock_.now_ns += 100 * kSecond;
  manager_->Tick();
  EXPECT_EQ(older.state(), v1::OPEN);
  EXPECT_EQ(manager_->OnEvent(OfNode(Event("wwid:1", "e2"), "node-a"), true), seed.id());
  EXPECT_EQ(opened_.size(), 1u);
}

TEST_F(RemoteTest, WhatIsFarApartOrAnotherConditionIsNotTheSameFailure) {
  manager_->OnEvent(OfNode(Event("wwid:1", "e2"), "node-a"), false);
  manager_->OnEvent(OfNode(Event("mount:/srv", "e3"), "node-a"), false);
  v1::Event theirs = OfNode(Event("wwid:1", "e1"), "node-b");
  theirs.set_kind("io.stall");
  EXPECT_EQ(manager_->SameFailure(theirs), "");
  EXPECT_EQ(manager_->SameFailure(OfNode(Event("wwid:2", "e1"), "node-b")), "");
  EXPECT_EQ(manager_->SameFailure(OfNode(Event("mount:/srv", "e1"), "node-b")), "");
  clock_.now_ns += 11 * kSecond;
  EXPECT_EQ(manager_->SameFailure(OfNode(Event("wwid:1", "e1"), "node-b")), "");
}

TEST_F(RemoteTest, WhoCapturedUnderAnOlderIncidentOwesNothing) {
  const std::string own = manager_->OnEvent(OfNode(Event("wwid:1", "e2"), "node-a"), false);
  manager_->Expect(own, {"node-b", "node-c"});
  v1::Capture sealed;
  sealed.set_node("node-c");
  sealed.set_state(v1::SEALED);
  manager_->PeerCapture(own, sealed);
  manager_->NotExpected(own, "node-b");
  manager_->NotExpected(own, "node-c");
  EXPECT_EQ(manager_->Get(own)->captures_size(), 2);
}

TEST_F(RemoteTest, ItClosesOnceItIsQuiet) {
  const v1::Incident seed = Seed(Event("wwid:1", "e1"));
  manager_->OpenRemote(seed);
  clock_.now_ns += 61 * kSecond;
  manager_->Tick();
  EXPECT_EQ(manager_->Get(seed.id())->state(), v1::CLOSED);
}

TEST_F(RemoteTest, ADumpAskedForElsewhereIsOverAtOnce) {
  v1::Event trigger = Event("dump:1", "e1");
  trigger.set_domain(v1::REQUESTED);
  const v1::Incident seed = Seed(trigger);
  manager_->OpenRemote(seed);
  EXPECT_EQ(manager_->Get(seed.id())->state(), v1::CLOSED);
}

TEST_F(RemoteTest, ManyCapturesAreSettledOnce) {
  const std::string id = manager_->OnEvent(Event("wwid:1", "e1"), false);
  manager_->Expect(id, {"node-b", "node-c", "node-d"});
  const int before = changes_;
  EXPECT_TRUE(
      manager_->PeerCaptures(id, {MakeCapture("node-b", v1::COLLECTING), MakeCapture("node-b", v1::STORED),
                                  MakeCapture("node-c", v1::STORED), MakeCapture("node-d", v1::FAILED)}));
  EXPECT_EQ(changes_, before + 1);
  EXPECT_EQ(manager_->Get(id)->completeness().stored(), 2u);
  EXPECT_EQ(manager_->Get(id)->captures_size(), 4);
}

TEST_F(RemoteTest, AlertedNodesOweACapture) {
  const std::string id = manager_->OnEvent(Event("wwid:1", "e1"), false);
  manager_->Expect(id, {"node-b", "node-c"});
  EXPECT_EQ(manager_->Get(id)->completeness().expected(), 3u);
  manager_->PeerCapture(id, MakeCapture("node-b", v1::STORED));
  manager_->PeerCapture(id, MakeCapture("node-b", v1::COLLECTING));  // late
  manager_->PeerCapture(id, MakeCapture("node-a", v1::FAILED));      // of this node only it knows
  EXPECT_THAT(States(*manager_->Get(id)),
              (std::map<std::string, v1::CaptureState>{
                  {"node-a", v1::COLLECTING}, {"node-b", v1::STORED}, {"node-c", v1::UNREACHED}}));
  EXPECT_FALSE(manager_->PeerCapture("none", MakeCapture("node-b", v1::STORED)));
}

}  // namespace
}  // namespace ffdc
