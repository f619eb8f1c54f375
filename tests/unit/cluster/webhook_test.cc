// SPDX-License-Identifier: Apache-2.0
#include "cluster/webhook.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "cluster/subscribers.h"
#include "fakes/dispatch.h"

namespace ffdc {
namespace {

TEST(WebhookTest, SignsAsTheStandardHasIt) {
  // RFC 4231, test case 2.
  EXPECT_EQ(Signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(WebhookTest, ShowsTheServerAndNoSecret) {
  EXPECT_EQ(ServerOf("https://hooks.example.org/T0/secret"), "https://hooks.example.org");
  EXPECT_EQ(ServerOf("http://10.0.0.1:8080?key=secret"), "http://10.0.0.1:8080");
  EXPECT_EQ(ServerOf("http://[fd00::1]:80"), "http://[fd00::1]:80");
}

class SubscribersTest : public testing::Test {
 protected:
  SubscribersTest() : ids_(SystemClock()) {
    auto launcher = Launcher::Start(WebhookTasks());
    EXPECT_TRUE(launcher) << launcher.error().message;
    launcher_ = std::move(*launcher);
  }

  // Nobody listens on port 1.
  Subscribers Make(v1::Severity min_severity) {
    return Subscribers({{"http://127.0.0.1:1/hook"}, "", min_severity, {}, {}}, *launcher_, ids_);
  }

  static v1::Incident Warning() {
    v1::Incident incident;
    incident.set_severity(v1::WARNING);
    return incident;
  }

  UuidGenerator ids_;
  std::unique_ptr<Launcher> launcher_;
};

TEST_F(SubscribersTest, WhatMattersLessIsNotTold) {
  Subscribers subscribers = Make(v1::CRITICAL);
  subscribers.Tell("incident.opened", Warning());
  EXPECT_EQ(subscribers.Status().at(0).waiting(), 0u);
}

TEST_F(SubscribersTest, OnlyTheKindsAndSubjectsThatAreWantedAreTold) {
  v1::Incident incident = Warning();
  incident.set_kind("path.lost");
  incident.mutable_subject()->set_id("wwid:1");
  incident.mutable_subject()->set_name("mpatha");
  const auto told = [&](std::vector<std::string> kinds, std::vector<std::string> subjects) {
    Subscribers subscribers(
        {{"http://127.0.0.1:1/hook"}, "", v1::WARNING, std::move(kinds), std::move(subjects)}, *launcher_,
        ids_);
    subscribers.Tell("incident.opened", incident);
    return subscribers.Status().at(0).waiting() != 0;
  };
  EXPECT_TRUE(told({}, {}));
  EXPECT_TRUE(told({"io.*", "path.*"}, {}));
  EXPECT_TRUE(told({"path.*"}, {"mpath*"}));
  EXPECT_TRUE(told({}, {"wwid:1"}));
  EXPECT_FALSE(told({"io.*"}, {}));
  EXPECT_FALSE(told({"path.*"}, {"wwid:2"}));
}

TEST_F(SubscribersTest, OneThatDoesNotAnswerIsNamedAndItsPostsWait) {
  Subscribers subscribers = Make(v1::WARNING);
  for (size_t i = 0; i < Subscribers::kMaxWaiting + 3; ++i) subscribers.Tell("incident.opened", Warning());
  for (int i = 0; i < 1000 && subscribers.Status().at(0).error().empty(); ++i) DispatchOnce(*launcher_);
  const v1::Subscriber status = subscribers.Status().at(0);
  EXPECT_EQ(status.server(), "http://127.0.0.1:1");
  EXPECT_EQ(status.waiting(), Subscribers::kMaxWaiting);
  EXPECT_EQ(status.dropped(), 3u);
  EXPECT_EQ(status.delivered(), 0u);
  EXPECT_FALSE(status.error().empty());
}

}  // namespace
}  // namespace ffdc
