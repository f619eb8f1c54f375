// SPDX-License-Identifier: Apache-2.0
#include "cluster/life_cycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "fakes/units.h"

namespace ffdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LifeCycleTest : public testing::Test {
 protected:
  void SetUp() override {
    cycle_.OnDb(true, "", now_ns_);
    cycle_.OnPrimary(true);
    cycle_.OnMember("b", true, false, now_ns_);
    cycle_.OnPing("b", true, "", now_ns_);
  }
  // One second, with a ping of b that is answered or not.
  void Second(bool answered) {
    now_ns_ += kSecond;
    cycle_.OnPing("b", answered, answered ? "" : "no answer in time", now_ns_);
    cycle_.Tick(0, now_ns_);
  }
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    for (const ClusterCondition& condition : told_)
      told.push_back(condition.kind + (condition.node.empty() ? "" : " " + condition.node) +
                     (condition.ended ? " ended" : ""));
    told_.clear();
    return told;
  }

  uint64_t now_ns_ = 100 * kSecond;
  std::vector<ClusterCondition> told_;
  LifeCycle cycle_{"a", [this](const ClusterCondition& condition) { told_.push_back(condition); }};
};

TEST_F(LifeCycleTest, FailedIsWhoseLeaseIsGoneAndWhoDoesNotAnswer) {
  Second(false);
  Second(false);
  EXPECT_THAT(Told(), IsEmpty()) << "its lease is alive";
  cycle_.OnMember("b", false, false, now_ns_);
  EXPECT_TRUE(cycle_.InDoubt("b"));
  EXPECT_THAT(Told(), IsEmpty()) << "not asked since";
  Second(false);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0].summary, HasSubstr("no answer in time"));
  EXPECT_EQ(told_[0].since_mono_ns, 101 * kSecond) << "since it is silent";
  EXPECT_THAT(Told(), ElementsAre("node.failed b"));
  Second(false);
  EXPECT_THAT(Told(), IsEmpty()) << "once";
  cycle_.OnMember("b", true, false, now_ns_);
  EXPECT_THAT(Told(), ElementsAre("node.failed b ended", "node.joined b"));
}

TEST_F(LifeCycleTest, ASlowDbIsNoDeadNode) {
  cycle_.OnMember("b", false, false, now_ns_);
  for (int i = 0; i < 20; ++i) Second(true);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(LifeCycleTest, OnlyThePrimaryTellsOfNodes) {
  cycle_.OnPrimary(false);
  cycle_.OnMember("b", false, false, now_ns_);
  Second(false);
  EXPECT_THAT(Told(), IsEmpty());
  // The next one goes on where the last one ended.
  cycle_.OnPrimary(true);
  Second(false);
  EXPECT_THAT(Told(), ElementsAre("node.failed b"));
}

TEST_F(LifeCycleTest, StoppedInGoodOrderIsNoFailure) {
  cycle_.OnMember("b", true, true, now_ns_);
  EXPECT_THAT(Told(), ElementsAre("node.left b"));
  cycle_.OnMember("b", false, true, now_ns_);
  for (int i = 0; i < 20; ++i) Second(false);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(LifeCycleTest, UnreachableIsWhoseLeaseIsAlive) {
  for (int i = 0; i < 6; ++i) Second(false);
  EXPECT_THAT(Told(), IsEmpty());
  Second(false);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_FALSE(told_[0].cut_off);
  EXPECT_THAT(Told(), ElementsAre("peer.unreachable b"));
  Second(true);
  EXPECT_THAT(Told(), ElementsAre("peer.unreachable b ended"));
}

TEST_F(LifeCycleTest, OneThatComesBackMayTakeItsTimeToAnswer) {
  for (const bool stopped : {true, false}) {
    cycle_.OnMember("b", false, stopped, now_ns_);
    for (int i = 0; i < 20; ++i) Second(false);
    cycle_.OnMember("b", true, false, now_ns_);
    Told();
    for (int i = 0; i < 5; ++i) Second(false);
    EXPECT_THAT(Told(), IsEmpty()) << stopped;
    Second(false);
    EXPECT_THAT(Told(), ElementsAre("peer.unreachable b")) << stopped;
    Second(true);
    Told();
  }
}

TEST_F(LifeCycleTest, AnElectionIsNoLostDb) {
  cycle_.OnDb(false, "no leader", now_ns_);
  for (int i = 0; i < 3; ++i) Second(true);
  cycle_.OnDb(true, "", now_ns_);
  for (int i = 0; i < 20; ++i) Second(true);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(LifeCycleTest, LostDbIsToldOnceAndEnds) {
  cycle_.OnDb(false, "no leader", now_ns_);
  for (int i = 0; i < 10; ++i) {
    cycle_.OnDb(false, "no leader", now_ns_);
    Second(true);
  }
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0].summary, HasSubstr("no leader"));
  EXPECT_EQ(told_[0].since_mono_ns, 100 * kSecond);
  EXPECT_THAT(Told(), ElementsAre("db.lost"));
  cycle_.OnDb(true, "", now_ns_);
  EXPECT_THAT(Told(), ElementsAre("db.lost ended"));
}

TEST_F(LifeCycleTest, CutOffFromAllBeginsWithTheDb) {
  cycle_.OnDb(false, "no route", now_ns_);
  for (int i = 0; i < 20; ++i) {
    now_ns_ += kSecond;
    cycle_.OnPing("b", false, "no answer in time", now_ns_);
  }
  EXPECT_THAT(Told(), IsEmpty()) << "the DB is not called lost yet";
  cycle_.Tick(0, now_ns_);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_THAT(told_[0].summary, HasSubstr("cut off: no peer answers, and no cluster DB: no route"));
  EXPECT_FALSE(told_[0].cut_off);
  EXPECT_TRUE(told_[1].cut_off);
  EXPECT_THAT(Told(), ElementsAre("db.lost", "peer.unreachable b"));
}

TEST_F(LifeCycleTest, WithoutTheDbNobodyHasFailed) {
  cycle_.OnMember("c", true, false, now_ns_);
  cycle_.OnPing("c", true, "", now_ns_);
  cycle_.OnDb(false, "no leader", now_ns_);
  cycle_.OnMember("b", false, false, now_ns_);
  for (int i = 0; i < 10; ++i) Second(false);
  EXPECT_THAT(Told(), testing::UnorderedElementsAre("db.lost", "peer.unreachable b"));
}

TEST_F(LifeCycleTest, RemovedNodesAreForgotten) {
  cycle_.KeepOnly(std::map<std::string, int>{{"a", 0}}, now_ns_);
  EXPECT_THAT(Told(), ElementsAre("node.left b"));
  for (int i = 0; i < 10; ++i) Second(false);
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(LifeCycleTest, ANodeThatWasDeadBeforeThisOneCameIsNoNews) {
  cycle_.OnMember("c", false, false, now_ns_);
  cycle_.OnPing("c", false, "refused", now_ns_);
  for (int i = 0; i < 3; ++i) Second(true);
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace ffdc
