// SPDX-License-Identifier: Apache-2.0
#include "node_fixture.h"

namespace ffdc {
namespace {

class ServiceFailedTest : public NodeFixture {
 protected:
  ServiceFailedTest() {
    kinds_ = {"service.failed"};
    Start();
  }
  void See(const std::string& active, const std::string& sub, const std::string& result = "success") {
    for (auto& detector : detectors_) detector->OnUnit({"osd.service", active, sub, result, clock_.now_ns});
  }
  void LoseBus() { See("", "", ""); }
};

TEST_F(ServiceFailedTest, AKilledServiceIsAnEventUntilItIsActiveAgain) {
  See("active", "running");
  See("failed", "failed", "signal");
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.domain(), v1::X2);
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.subject().type(), "unit");
  EXPECT_EQ(event.subject().id(), "unit:osd.service@node-a");
  EXPECT_EQ(event.summary(), "osd.service was killed by a signal");
  EXPECT_EQ(Fact(event, "result"), "signal");
  Tick(300);  // however long that takes
  EXPECT_EQ(Count(EventPhase::kEnded), 0u);
  See("activating", "start");
  See("active", "running");
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
}

TEST_F(ServiceFailedTest, ACrashThatSystemdRestartsIsOneEventACrash) {
  See("active", "running");
  See("activating", "auto-restart", "core-dump");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  See("activating", "start");
  See("active", "running");
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  See("activating", "auto-restart", "core-dump");
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
}

TEST_F(ServiceFailedTest, OneThatCrashesOverAndOverIsOneEventUntilItIsUp) {
  See("activating", "auto-restart", "exit-code");  // so it was when the agent started
  See("activating", "start");
  See("activating", "auto-restart", "exit-code");
  See("failed", "failed", "start-limit-hit");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  EXPECT_EQ(Count(EventPhase::kEnded), 0u);
}

TEST_F(ServiceFailedTest, AStarvedWatchdogIsToldBeforeTheServiceIsDead) {
  See("active", "running");
  See("deactivating", "stop-watchdog", "watchdog");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.summary(), "osd.service did not answer its watchdog");
  See("failed", "failed", "watchdog");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

TEST_F(ServiceFailedTest, APersonsStopAndRestartAreNothing) {
  for (const char* end : {"inactive", "failed"}) {  // some exit with an error when they are told to
    See("active", "running");
    See("deactivating", "stop-sigterm");
    See(end, "dead", std::string(end) == "failed" ? "exit-code" : "success");
    See("activating", "start");
    See("active", "running");
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(ServiceFailedTest, AStopThatHangsIsAFailure) {
  See("active", "running");
  See("deactivating", "stop-sigterm");
  See("deactivating", "stop-sigkill", "timeout");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

TEST_F(ServiceFailedTest, AServiceThatEndsByItselfIsAFailure) {
  See("active", "running");
  See("inactive", "dead");
  ASSERT_EQ(Count(EventPhase::kOpened), 1u);
  EXPECT_EQ(events_[0].first.summary(), "osd.service ended by itself");
}

// A mount that is unmounted, a target that is left: nothing is killed, so nothing deactivates.
TEST_F(ServiceFailedTest, AUnitWithoutAProcessMayEnd) {
  See("active", "exited");
  See("inactive", "dead");
  EXPECT_TRUE(events_.empty());
}

TEST_F(ServiceFailedTest, WhatWasDeadBeforeIsNothing) {
  See("failed", "failed", "exit-code");
  See("inactive", "dead");
  See("activating", "start");
  EXPECT_TRUE(events_.empty());
}

TEST_F(ServiceFailedTest, WhileTheBusWasGoneOnlyAFailureIsCertain) {
  See("active", "running");
  LoseBus();
  See("inactive", "dead");
  EXPECT_TRUE(events_.empty());
  See("active", "running");
  LoseBus();
  See("failed", "failed", "signal");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

}  // namespace
}  // namespace ffdc
