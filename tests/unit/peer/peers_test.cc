// SPDX-License-Identifier: Apache-2.0
// Nodes that call each other over real connections.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "base/certificate_maker.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "fakes/free_port.h"
#include "fakes/running_loop.h"
#include "peer/clients.h"
#include "peer/server.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;

struct Ca {
  std::string key = *MakePrivateKey();
  std::string certificate = *MakeCa("prod", key);
};

class Node {
 public:
  Node(std::string name, const Ca& ca) : name_(std::move(name)), tls_(Identity(ca)) {
    PeerHandlers handlers;
    handlers.alert = [this](const std::string& peer, const v1::AlertRequest&,
                            const PeerAnswer<v1::AlertReply>& answer) {
      alerted_by_ = peer;
      if (holds_answers) return held_.push_back(answer);
      answer(v1::AlertReply());
    };
    handlers.incidents = [](const std::string&, const v1::PeerIncidentsRequest& request,
                            const PeerAnswer<v1::PeerIncidents>& answer) {
      v1::PeerIncidents reply;
      for (uint32_t i = 0; i < request.limit(); ++i) reply.add_incidents()->set_id(std::string(1000, 'x'));
      answer(reply);
    };
    dispatch_ = std::make_shared<PeerDispatch>(PeerDispatchOptions{"prod", "1.0"}, *loop_, handlers,
                                               [](const std::string&) {});
    loop_.Do([&] { clients_ = PeerClients::Create({name_, "prod", tls_}, *loop_, dispatch_); });
  }
  ~Node() {
    loop_.Do([&] {
      server_.reset();
      clients_.reset();
    });
  }

  void Listen(const std::set<std::string>& members) {
    loop_.Do([&] {
      auto server = PeerServer::Start({address(), tls_}, *loop_, dispatch_, [this](auto link) {
        ++links;
        clients_->AddLink(std::move(link));
      });
      ASSERT_TRUE(server) << server.error().message;
      server_ = std::move(*server);
      server_->SetMembers(members);
    });
  }
  void SetMembers(const std::set<std::string>& members) {
    loop_.Do([&] { server_->SetMembers(members); });
  }
  void StopListening() {
    loop_.Do([&] { server_.reset(); });
  }
  void Knows(const Node& peer) {
    loop_.Do([&] { clients_->SetPeers({{peer.name_, peer.address()}}); });
  }

  void UseNewCertificate(const Ca& ca) {
    loop_.Do([&] { clients_->SetTls(Identity(ca)); });
  }

  template <class Reply>
  Result<Reply> Await(const std::function<void(PeerClients&, PeerClients::Done<Reply>)>& call) {
    std::promise<Result<Reply>> answer;
    loop_.Do([&] { call(*clients_, [&](Result<Reply> reply) { answer.set_value(std::move(reply)); }); });
    return answer.get_future().get();
  }
  Result<v1::PingReply> Ping(const Node& peer) {
    return Await<v1::PingReply>([&](auto& clients, auto done) { clients.Ping(peer.name_, done); });
  }
  Result<v1::AlertReply> Alert(const Node& peer) {
    v1::AlertRequest request;
    request.set_cluster("prod");
    request.set_incident_id(UuidGenerator(SystemClock()).Next());
    request.set_origin_node(name_);
    v1::Event& trigger = *request.mutable_trigger();
    trigger.set_id(request.incident_id());
    trigger.set_kind("io.error");
    trigger.set_node(name_);
    return Await<v1::AlertReply>([&](auto& clients, auto done) { clients.Alert(peer.name_, request, done); });
  }
  Result<v1::PeerIncidents> Incidents(const Node& peer, uint32_t limit) {
    v1::PeerIncidentsRequest request;
    request.set_cluster("prod");
    request.set_limit(limit);
    return Await<v1::PeerIncidents>(
        [&](auto& clients, auto done) { clients.Incidents(peer.name_, request, done); });
  }
  std::string AlertedBy() {
    std::string peer;
    loop_.Do([&] { peer = std::exchange(alerted_by_, ""); });
    return peer;
  }

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // As the kernel has them: established ones that this node's port accepted.
  [[nodiscard]] int Accepted() const {
    int count = 0;
    for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
      std::ifstream table(path);
      for (std::string line; std::getline(table, line);) {
        std::istringstream words(line);
        std::string number, local, remote, state;
        words >> number >> local >> remote >> state;
        const auto port = std::strtoul(local.c_str() + local.find(':') + 1, nullptr, 16);
        if (port == port_ && state == "01") ++count;
      }
    }
    return count;
  }

  bool holds_answers = false;
  std::atomic<int> links{0};  // that were opened to it

 private:
  [[nodiscard]] TlsIdentity Identity(const Ca& ca) const {
    TlsIdentity tls{ca.certificate, "", *MakePrivateKey()};
    tls.certificate =
        *SignCertificateRequest(*MakeCertificateRequest(name_, tls.key), name_, ca.certificate, ca.key);
    return tls;
  }

  const std::string name_;
  const TlsIdentity tls_;
  const uint16_t port_ = FreePort();
  std::string alerted_by_;
  std::vector<PeerAnswer<v1::AlertReply>> held_;
  RunningLoop loop_;
  std::shared_ptr<PeerDispatch> dispatch_;
  std::unique_ptr<PeerClients> clients_;
  std::unique_ptr<PeerServer> server_;
};

bool Soon(const std::function<bool()>& what) {
  for (int i = 0; i < 3000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

class PeersTest : public testing::Test {
 protected:
  // The first of them is who opens the link.
  PeersTest() : opener_(OpensLink("a", "b") ? "a" : "b", ca_), other_(OpensLink("a", "b") ? "b" : "a", ca_) {}

  void Link() {
    for (Node* node : {&opener_, &other_}) node->Listen({"a", "b"});
    opener_.Knows(other_);
    other_.Knows(opener_);
    ASSERT_TRUE(Soon([&] { return other_.links == 1; }));
  }

  Ca ca_;
  Node opener_;
  Node other_;
};

TEST_F(PeersTest, BothCallEachOtherAlongOneConnection) {
  Link();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(opener_.Ping(other_));
    EXPECT_TRUE(other_.Ping(opener_));
    EXPECT_TRUE(opener_.Alert(other_));
    EXPECT_TRUE(other_.Alert(opener_));
  }
  EXPECT_EQ(opener_.AlertedBy(), OpensLink("a", "b") ? "b" : "a");
  EXPECT_EQ(other_.AlertedBy(), OpensLink("a", "b") ? "a" : "b");
  EXPECT_EQ(opener_.Accepted(), 0);
  EXPECT_EQ(other_.Accepted(), 1);
  EXPECT_EQ(opener_.links, 0);
}

TEST_F(PeersTest, WhatIsTooLargeForALinkComesAllTheSame) {
  Link();
  const auto few = other_.Incidents(opener_, 1);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->incidents_size(), 1);
  EXPECT_EQ(opener_.Accepted(), 0);
  for (const auto& many : {other_.Incidents(opener_, 3000), opener_.Incidents(other_, 3000)}) {
    ASSERT_TRUE(many) << many.error().message;
    EXPECT_EQ(many->incidents_size(), 3000);
  }
}

TEST_F(PeersTest, AnAlertDoesNotWaitForTheLink) {
  opener_.Listen({"a", "b"});
  other_.Knows(opener_);  // which knows nobody: it opens none
  const auto reply = other_.Alert(opener_);
  EXPECT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(opener_.Accepted(), 1);
}

TEST_F(PeersTest, AStrangerIsRefusedUntilItIsAMember) {
  other_.Listen({});
  opener_.Listen({"a", "b"});
  opener_.Knows(other_);
  other_.Knows(opener_);
  const auto refused = opener_.Alert(other_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no member of the cluster"), std::string::npos);
  EXPECT_TRUE(other_.Alert(opener_)) << "the other way is open";
  other_.StopListening();
  other_.Listen({"a", "b"});
  EXPECT_TRUE(Soon([&] { return other_.links == 1; }));
}

TEST_F(PeersTest, WhoIsNoMemberAnyMoreIsLetGo) {
  Link();
  EXPECT_TRUE(opener_.Ping(other_));
  other_.SetMembers({});
  ASSERT_TRUE(Soon([&] { return !opener_.Alert(other_); }));
  other_.SetMembers({"a", "b"});
  EXPECT_TRUE(Soon([&] { return other_.links == 2; }));
}

TEST_F(PeersTest, TheLinkComesBackWithThePeer) {
  Link();
  other_.holds_answers = true;
  std::thread stop([&] {
    std::this_thread::sleep_for(milliseconds(50));
    other_.StopListening();
  });
  EXPECT_FALSE(opener_.Alert(other_));
  stop.join();
  EXPECT_TRUE(other_.Ping(opener_)) << "directly";
  other_.holds_answers = false;
  other_.Listen({"a", "b"});
  ASSERT_TRUE(Soon([&] { return other_.links == 2; }));
  EXPECT_TRUE(opener_.Ping(other_));
  EXPECT_TRUE(other_.Ping(opener_));
}

TEST_F(PeersTest, ANewCertificateMakesANewLink) {
  Link();
  opener_.UseNewCertificate(ca_);
  ASSERT_TRUE(Soon([&] { return other_.links == 2; }));
  EXPECT_TRUE(other_.Ping(opener_));
  EXPECT_TRUE(Soon([&] { return other_.Accepted() == 1; })) << "the one before is closed";
}

}  // namespace
}  // namespace ffdc
