// SPDX-License-Identifier: Apache-2.0
// ffdcctl cluster: files, and a real peer service to join at.
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>

#include "base/certificate.h"
#include "base/certificate_maker.h"
#include "base/fs.h"
#include "base/join_token.h"
#include "fakes/free_port.h"
#include "fakes/running_loop.h"
#include "peer/server.h"
#include "unit/ctl/command_fixture.h"

namespace ffdc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kListen = "127.0.0.1:17421";
constexpr const char* kDb = "etcd://10.0.0.1:2379";

class ClusterCommandTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    std::ofstream(config_) << "node.name = 'b'\n";
  }
  Outcome Init(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"cluster", "init", "--db", kDb, "--listen", kListen, "--config", config_});
    return Run(more);
  }
  Outcome Join(const std::string& token, const std::string& input = "") {
    return Run({"cluster", "join", server_address_, token, "--listen", kListen, "--config", config_}, input);
  }
  [[nodiscard]] std::string Read(const std::string& name) const { return ReadFile(dir_ / name).value(); }
  [[nodiscard]] mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(stat((dir_ / name).c_str(), &info), 0) << name;
    return info.st_mode & 0777;
  }
  void ExpectNothingWritten() const {
    EXPECT_FALSE(Exists(dir_ / "ffdc.d/cluster.toml"));
    for (const char* name : {"tls/key.pem", "tls/cert.pem", "tls/ca.pem", "tls/ca-key.pem"})
      EXPECT_FALSE(Exists(dir_ / name)) << name;
  }

  std::string config_ = dir_ / "ffdc.toml";
  std::string server_address_ = "127.0.0.1:" + std::to_string(FreePort());  // nobody listens there
};

TEST_F(ClusterCommandTest, InitMakesACaACertificateAndADropIn) {
  const Outcome done = Init();
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("node b is set up as the first of cluster default"),
                              HasSubstr("systemctl restart ffdcd"), HasSubstr("ffdcctl cluster token")));
  EXPECT_TRUE(CheckSignedBy(Read("tls/cert.pem"), Read("tls/ca.pem")));
  EXPECT_TRUE(CheckKeyOf(Read("tls/cert.pem"), Read("tls/key.pem")));
  EXPECT_TRUE(CheckKeyOf(Read("tls/ca.pem"), Read("tls/ca-key.pem")));
  EXPECT_THAT(ReadCertificate(Read("tls/cert.pem"))->names, testing::ElementsAre("b"));
  for (const char* name : {"tls/key.pem", "tls/cert.pem", "tls/ca.pem", "tls/ca-key.pem"})
    EXPECT_EQ(ModeOf(name), 0600u) << name;
  EXPECT_EQ(ModeOf("tls"), 0700u);
  const std::string folder = dir_.path();
  EXPECT_THAT(Read("ffdc.d/cluster.toml"),
              AllOf(HasSubstr("name = \"b\"\ncluster = \"default\"\n"),
                    HasSubstr("db = \"etcd://10.0.0.1:2379\""), HasSubstr("listen = \"127.0.0.1:17421\""),
                    HasSubstr("ca_key = \"" + folder + "/tls/ca-key.pem\""), Not(HasSubstr("advertise"))));
  EXPECT_EQ(Read("ffdc.toml"), "node.name = 'b'\n");
}

TEST_F(ClusterCommandTest, InitOverwritesNothing) {
  for (const char* name : {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"}) {
    std::filesystem::create_directory(dir_ / "tls");
    std::ofstream(dir_ / (std::string("tls/") + name)) << "precious";
    ExpectComplaint(Init(), 1, std::string("tls/") + name + " exists already, and is not overwritten");
    EXPECT_EQ(Read(std::string("tls/") + name), "precious");
    std::filesystem::remove_all(dir_ / "tls");
  }
  ASSERT_EQ(Init().exit_code, 0);
  const std::string ca = Read("tls/ca.pem");
  ExpectComplaint(Init(), 1, "this node is in a cluster already: cluster.db is etcd://10.0.0.1:2379 in ");
  EXPECT_EQ(Read("tls/ca.pem"), ca);
}

// What was made goes again: a second try must not stumble over it.
TEST_F(ClusterCommandTest, InitLeavesNothingBehindWhereItFails) {
  std::filesystem::create_symlink("nowhere", dir_ / "ffdc.d");
  ExpectComplaint(Init(), 1, "ffdc.d/cluster.toml: No such file or directory");
  std::filesystem::remove(dir_ / "ffdc.d");
  ExpectNothingWritten();
  EXPECT_EQ(Init().exit_code, 0);
}

TEST_F(ClusterCommandTest, WrongUsageOfInit) {
  ExpectComplaint(Run({"cluster", "init", "--db", kDb}), 2, "--listen is required");
  ExpectComplaint(Run({"cluster", "init", "--db", "sqlite", "--listen", kListen, "--config", config_}), 2,
                  "'sqlite' is no cluster DB");
  ExpectComplaint(Run({"cluster", "init", "--db", kDb, "--listen", "node1", "--config", config_}), 2,
                  "'node1' is no address with a port");
  ExpectComplaint(Run({"cluster", "init", "--db", kDb, "--listen", "0.0.0.0:7420", "--config", config_}), 2,
                  "give --advertise");
  ExpectComplaint(Init({"--tls-dir", "keys"}), 2, "must be an absolute path");
  ExpectComplaint(Init({"--days", "0"}), 2, "--days");
  std::ofstream(config_) << "[=]";
  ExpectComplaint(Init(), 1, "ffdc.toml:1: ");
  ExpectNothingWritten();
}

TEST_F(ClusterCommandTest, TokenPrintsTheCommandForTheOtherNode) {
  const Outcome done = Run({"cluster", "token", "--valid", "2h"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("\n  ffdcctl cluster join 10.0.0.1:7420 ffdc1." + std::string(64, 'a') +
                                  "." + std::string(40, 'b') + " --listen ADDRESS:PORT\n"));
  EXPECT_THAT(done.out, HasSubstr("2027-01-15 10:00:00"));
  ExpectComplaint(Run({"cluster", "token", "--valid", "2"}), 2, "--valid");
  ExpectComplaint(Run({"cluster", "token", "--valid", "8d"}), 1, "at most 7 days");
  ExpectComplaint(Run({"cluster", "token", "--valid", "0s"}), 1, "at least a second");
  backend_.FailWith({"this node does not keep the CA's key", ENOTSUP});
  ExpectComplaint(Run({"cluster", "token"}), 1, "cannot make a token: this node does not keep the CA's key");
  server_.reset();
  ExpectComplaint(Run({"cluster", "token"}), 3, "cannot reach the agent");
}

TEST_F(ClusterCommandTest, LeaveMovesTheFilesOfTheClusterAside) {
  ASSERT_EQ(Init().exit_code, 0);
  backend_.SetConfigFiles(config_, {dir_ / "ffdc.d/cluster.toml"});
  std::ofstream(dir_ / "ffdc.d/cluster.toml.left") << "of a time before";
  const Outcome done = Run({"cluster", "leave", "--yes"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("node db1 left cluster prod"), HasSubstr("cluster.toml.left2"),
                              HasSubstr("systemctl restart ffdcd")));
  EXPECT_FALSE(Exists(dir_ / "ffdc.d/cluster.toml"));
  EXPECT_EQ(Read("ffdc.d/cluster.toml.left"), "of a time before");
  EXPECT_TRUE(Exists(dir_ / "tls/key.pem.left"));
  EXPECT_TRUE(Exists(dir_ / "tls/ca-key.pem")) << "the others may need it";
  EXPECT_TRUE(Exists(dir_ / "tls/ca.pem"));
}

TEST_F(ClusterCommandTest, LeaveTellsWhereAPersonConfiguredTheCluster) {
  const Outcome done = Run({"cluster", "leave"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("take [cluster] and [peer] out of the configuration"));
  backend_.FailWith({"the cluster DB cannot be reached", EAGAIN});
  ExpectComplaint(Run({"cluster", "leave", "--yes"}), 1, "the cluster DB cannot be reached");
}

// A node that keeps a CA: the real peer service, with an answer of our own.
class JoinTest : public ClusterCommandTest {
 protected:
  void SetUp() override {
    ClusterCommandTest::SetUp();
    Serve(ca_, ca_key_);
  }
  void Serve(const std::string& ca, const std::string& ca_key) {
    const std::string key = MakePrivateKey().value();
    const std::string certificate =
        SignCertificateRequest(MakeCertificateRequest("a", key).value(), "a", ca, ca_key).value();
    PeerHandlers handlers;
    handlers.join = [this](const std::string&, const v1::JoinRequest& request, const auto& answer) {
      ++asked_;
      const std::lock_guard lock(mutex_);
      if (failure_) return answer(Unexpected(*failure_));
      v1::JoinReply reply;
      reply.set_certificate(
          SignCertificateRequest(request.request(), request.node(), ca_, sign_with_).value_or("none"));
      reply.set_ca(ca_);
      reply.set_cluster("prod");
      reply.set_db(kDb);
      answer(reply);
    };
    dispatch_ = DispatchTo(std::move(handlers));
    auto peer = PeerServer::Start({server_address_, {ca, certificate, key}}, *loop_, dispatch_, [](auto) {});
    ASSERT_TRUE(peer) << peer.error().message;
    peer_ = std::move(*peer);
  }
  std::shared_ptr<PeerDispatch> DispatchTo(PeerHandlers handlers) {
    return std::make_shared<PeerDispatch>(PeerDispatchOptions{"prod", "1.0"}, *loop_, std::move(handlers),
                                          [](const std::string&) {});
  }
  void FailWith(const std::string& words) {
    const std::lock_guard lock(mutex_);
    failure_ = Error{words, EACCES};
  }
  void SignWith(const std::string& key) {
    const std::lock_guard lock(mutex_);
    sign_with_ = key;
  }
  [[nodiscard]] std::string Token() const { return MakeJoinToken(ReadCertificate(ca_)->sha256)->Text(); }

  std::string ca_key_ = MakePrivateKey().value();
  std::string ca_ = MakeCa("prod", ca_key_).value();
  std::mutex mutex_;
  std::string sign_with_ = ca_key_;
  std::optional<Error> failure_;
  std::atomic<int> asked_ = 0;
  RunningLoop loop_;
  std::shared_ptr<PeerDispatch> dispatch_;
  std::unique_ptr<PeerServer> peer_;
};

TEST_F(JoinTest, WritesWhatTheNodeNeeds) {
  const Outcome done = Join(Token());
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("node b may join cluster prod (etcd://10.0.0.1:2379)"));
  EXPECT_TRUE(CheckSignedBy(Read("tls/cert.pem"), ca_));
  EXPECT_TRUE(CheckKeyOf(Read("tls/cert.pem"), Read("tls/key.pem")));
  EXPECT_EQ(ModeOf("tls/key.pem"), 0600u);
  EXPECT_FALSE(Exists(dir_ / "tls/ca-key.pem"));
  EXPECT_THAT(Read("ffdc.d/cluster.toml"), AllOf(HasSubstr("cluster = \"prod\""), Not(HasSubstr("ca_key"))));
  ExpectComplaint(Join(Token()), 1, "this node is in a cluster already");
  EXPECT_EQ(asked_, 1);
}

TEST_F(JoinTest, TheTokenMayComeFromTheStandardInput) {
  const Outcome done = Join("-", Token() + "\n");
  EXPECT_EQ(done.exit_code, 0) << done.err;
}

TEST_F(JoinTest, AWrongTokenIsRefusedBeforeAnybodyIsAsked) {
  ExpectComplaint(Join("ffdc1.x.y"), 2, "this is no token");
  ExpectComplaint(Join("-", ""), 2, "this is no token");
  EXPECT_EQ(asked_, 0);
  ExpectNothingWritten();
}

TEST_F(JoinTest, AServerOfAnotherCaGetsNothing) {
  const std::string other_key = MakePrivateKey().value();
  const std::string token = MakeJoinToken(ReadCertificate(MakeCa("prod", other_key).value())->sha256)->Text();
  ExpectComplaint(Join(token), 1, "is not of the cluster that the token is for");
  EXPECT_EQ(asked_, 0);
  ExpectNothingWritten();
}

// Somebody between who shows the right CA, which anybody may have, but a certificate of his own.
TEST_F(JoinTest, AServerThatOnlyShowsTheRightCaGetsNothing) {
  const std::string other_key = MakePrivateKey().value();
  const std::string other = MakeCa("prod", other_key).value();
  peer_.reset();
  const std::string key = MakePrivateKey().value();
  const std::string certificate =
      SignCertificateRequest(MakeCertificateRequest("a", key).value(), "a", other, other_key).value();
  PeerHandlers handlers;
  handlers.join = [this](const std::string&, const v1::JoinRequest&, const auto&) { ++asked_; };
  auto peer = PeerServer::Start({server_address_, {ca_, certificate + ca_, key}}, *loop_,
                                DispatchTo(std::move(handlers)), [](auto) {});
  ASSERT_TRUE(peer) << peer.error().message;
  ExpectComplaint(Join(Token()), 1, "is not of the cluster that the token is for");
  EXPECT_EQ(asked_, 0);
  ExpectNothingWritten();
  peer->reset();
}

TEST_F(JoinTest, WhatTheServerSaysIsToldAndNothingWritten) {
  FailWith("the token was used before");
  ExpectComplaint(Join(Token()), 1, "node b cannot join: the token was used before");
  ExpectNothingWritten();
  EXPECT_EQ(dispatch_->counts().joins, 1u);
  EXPECT_EQ(dispatch_->counts().refused, 1u);
}

TEST_F(JoinTest, ACertificateThatTheCaDidNotSignIsNotTaken) {
  SignWith(MakePrivateKey().value());
  ExpectComplaint(Join(Token()), 1, "is not one of this node and cluster");
  ExpectNothingWritten();
}

TEST_F(JoinTest, WhoFailsTooOftenIsNotHeard) {
  FailWith("no");
  Outcome last;
  for (int i = 0; i < 11; ++i) last = Join(Token());
  ExpectComplaint(last, 1, "too many tries to join failed within a minute");
  EXPECT_EQ(asked_, 10);
  EXPECT_EQ(dispatch_->counts().joins, 11u);
}

TEST_F(JoinTest, NobodyThere) {
  peer_.reset();
  ExpectComplaint(Join(Token()), 1, "cannot reach the agent at " + server_address_ + ": Connection refused");
  ExpectComplaint(Run({"cluster", "join", "host", Token(), "--listen", kListen, "--config", config_}), 2,
                  "'host' is no address with a port");
  ExpectNothingWritten();
}

}  // namespace
}  // namespace ffdc
