// SPDX-License-Identifier: Apache-2.0
#include "peer/link.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "fakes/running_loop.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;

class FakeStream final : public LinkStream {
 public:
  void Write(const v1::LinkMessage& message) override { written.push_back(message); }
  void Cancel() override { cancelled = true; }

  std::vector<v1::LinkMessage> written;
  bool cancelled = false;
};

class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    PeerHandlers handlers;
    handlers.incidents = [this](const std::string& peer, const v1::PeerIncidentsRequest& request,
                                const PeerAnswer<v1::PeerIncidents>& answer) {
      asked_by_ = peer;
      v1::PeerIncidents reply;
      for (uint32_t i = 0; i < request.limit(); ++i) reply.add_incidents()->set_id(std::string(1000, 'x'));
      answer(reply);
    };
    dispatch_ = std::make_shared<PeerDispatch>(PeerDispatchOptions{"prod", "1.0"}, *loop_, handlers,
                                               [this](const std::string& why) { refused_.push_back(why); });
    link_ = std::make_shared<PeerLink>("b", *loop_, dispatch_, stream_);
  }

  // Until what was posted has run.
  void Settle() {
    loop_.Do([] {});
  }
  void WaitForAnswer(size_t at) {
    for (bool there = false; !there;) loop_.Do([&] { there = answers_[at].has_value(); });
  }

  static v1::LinkMessage Ping() {
    v1::LinkMessage message;
    message.mutable_ping()->set_cluster("prod");
    return message;
  }
  static v1::LinkMessage PingReply(uint64_t call, const std::string& version) {
    v1::LinkMessage message;
    message.set_call(call);
    message.mutable_ping_reply()->set_version(version);
    return message;
  }
  void Call(milliseconds deadline = milliseconds(10000)) {
    loop_.Do([&] {
      answers_.emplace_back();
      link_->Call(Ping(), deadline,
                  [this, at = answers_.size() - 1](Result<v1::LinkMessage> answer, const Arrival&) {
                    EXPECT_FALSE(answers_[at]) << "answered twice";
                    answers_[at] = std::move(answer);
                  });
    });
  }

  RunningLoop loop_;
  FakeStream stream_;
  std::shared_ptr<PeerDispatch> dispatch_;
  std::shared_ptr<PeerLink> link_;
  std::vector<std::optional<Result<v1::LinkMessage>>> answers_;
  std::vector<std::string> refused_;
  std::string asked_by_;
};

TEST(OpensLinkTest, OneOfTwoOpensItAndOfManyEachAboutHalf) {
  int opened = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string peer = "m" + std::to_string(i);
    EXPECT_NE(OpensLink("n1", peer), OpensLink(peer, "n1")) << peer;
    opened += OpensLink("n1", peer) ? 1 : 0;
  }
  EXPECT_GT(opened, 400);
  EXPECT_LT(opened, 600);
}

TEST_F(LinkTest, AnswersFindTheirCallsInAnyOrder) {
  Call();
  Call();
  ASSERT_EQ(stream_.written.size(), 1u) << "one write at a time";
  link_->OnWritten();
  ASSERT_EQ(stream_.written.size(), 2u);
  link_->OnMessage(PingReply(stream_.written[1].call(), "second"));
  link_->OnMessage(PingReply(stream_.written[0].call(), "first"));
  link_->OnMessage(PingReply(stream_.written[0].call(), "again"));
  Settle();
  ASSERT_TRUE(answers_[0] && *answers_[0] && answers_[1] && *answers_[1]);
  EXPECT_EQ((**answers_[0]).ping_reply().version(), "first");
  EXPECT_EQ((**answers_[1]).ping_reply().version(), "second");
}

TEST_F(LinkTest, SilentOnceTwoCallsWereNotAnsweredUntilSomethingIsHeard) {
  Call(milliseconds(1));
  WaitForAnswer(0);
  ASSERT_TRUE(answers_[0] && !*answers_[0]);
  EXPECT_EQ(answers_[0]->error().code, grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_FALSE(link_->silent());
  Call(milliseconds(1));
  WaitForAnswer(1);
  EXPECT_TRUE(link_->silent());
  link_->OnMessage(PingReply(stream_.written[0].call(), "late"));
  EXPECT_FALSE(link_->silent());
}

TEST_F(LinkTest, WhatTheOtherEndAsksIsAnswered) {
  v1::LinkMessage ask;
  ask.set_call(7);
  ask.mutable_incidents()->set_cluster("prod");
  ask.mutable_incidents()->set_limit(1);
  link_->OnMessage(ask);
  Settle();
  EXPECT_EQ(asked_by_, "b");
  ASSERT_EQ(stream_.written.size(), 1u);
  EXPECT_EQ(stream_.written[0].call(), 7u);
  EXPECT_EQ(stream_.written[0].incidents_reply().incidents_size(), 1);
}

TEST_F(LinkTest, WhatIsTooLargeIsToBeAskedForDirectly) {
  v1::LinkMessage ask;
  ask.set_call(7);
  ask.mutable_incidents()->set_cluster("prod");
  ask.mutable_incidents()->set_limit(2000);
  link_->OnMessage(ask);
  Settle();
  ASSERT_EQ(stream_.written.size(), 1u);
  EXPECT_EQ(stream_.written[0].failure().code(), grpc::StatusCode::OUT_OF_RANGE);

  v1::LinkMessage large = Ping();
  large.mutable_ping()->set_cluster(std::string(2 << 20, 'x'));
  std::optional<Result<v1::LinkMessage>> answer;
  loop_.Do([&] {
    link_->Call(large, milliseconds(1000), [&](auto given, const Arrival&) { answer = std::move(given); });
    EXPECT_FALSE(answer) << "not within the call";
  });
  Settle();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(LinkTest, WhatMakesNoSenseIsRefusedAndCounted) {
  v1::LinkMessage foreign = Ping();
  foreign.set_call(1);
  foreign.mutable_ping()->set_cluster("test");
  link_->OnMessage(foreign);
  v1::LinkMessage alert;
  alert.set_call(2);
  alert.mutable_alert()->set_cluster("prod");
  alert.mutable_alert()->set_incident_id("../etc");
  link_->OnMessage(alert);
  v1::LinkMessage unknown;
  unknown.set_call(3);
  link_->OnMessage(unknown);
  for (int i = 0; i < 3; ++i) link_->OnWritten();
  ASSERT_EQ(stream_.written.size(), 3u);
  EXPECT_EQ(stream_.written[0].failure().code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(stream_.written[1].failure().code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(stream_.written[2].failure().code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(dispatch_->counts().refused, 2u);
  ASSERT_EQ(refused_.size(), 2u);
  EXPECT_EQ(
      refused_[0],
      "a call from node b is refused: it is of cluster 'test', this node of 'prod': change [node] cluster "
      "of one of them");
}

TEST_F(LinkTest, CallsFailWhenTheStreamEnds) {
  Call();
  link_->OnClosed("its connection has ended");
  EXPECT_TRUE(link_->closed());
  Call();
  link_->OnWritten();  // of what was under way
  Settle();
  for (const auto& answer : answers_) {
    ASSERT_TRUE(answer && !*answer);
    EXPECT_EQ(answer->error().code, grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_EQ(stream_.written.size(), 1u);
}

TEST_F(LinkTest, WhoAsksAndDoesNotReadIsLetGo) {
  v1::LinkMessage ping = Ping();
  for (uint64_t i = 0; i < 1000 && !stream_.cancelled; ++i) {
    ping.set_call(i);
    link_->OnMessage(ping);
  }
  EXPECT_TRUE(stream_.cancelled);
}

TEST_F(LinkTest, OnlySoManyCallsWait) {
  for (int i = 0; i < 300; ++i) Call();
  Settle();
  EXPECT_FALSE(answers_.front());
  ASSERT_TRUE(answers_.back() && !*answers_.back());
  EXPECT_EQ(answers_.back()->error().code, grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace ffdc
