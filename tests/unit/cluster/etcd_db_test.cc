// SPDX-License-Identifier: Apache-2.0
// Against a real etcd of its own, which is stopped, killed and started again.
#include "cluster/etcd_db.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "fakes/free_port.h"
#include "fakes/running_loop.h"
#include "fakes/temp_dir.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace ffdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
class Etcd {
 public:
  ~Etcd() { Kill(); }
  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  void Start() {
    const std::string client = "http://" + endpoint();
    const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    std::vector<std::string> words{"etcd",
                                   "--data-dir",
                                   folder_.path() / "data",
                                   "--listen-client-urls",
                                   client,
                                   "--advertise-client-urls",
                                   client,
                                   "--listen-peer-urls",
                                   peer,
                                   "--initial-advertise-peer-urls",
                                   peer,
                                   "--initial-cluster",
                                   "default=" + peer,
                                   "--log-level",
                                   "panic"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);  // its log
    const int failed = posix_spawnp(&pid_, "etcd", &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    ASSERT_EQ(failed, 0) << "there is no etcd: scripts/install-deps.sh test installs it";
  }
  void Signal(int signal) const { kill(pid_, signal); }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGCONT);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  TempDir folder_{TempDir::MemoryParent()};
  uint16_t port_ = FreePort();
  uint16_t peer_port_ = FreePort();
  pid_t pid_ = -1;
};

// One node's view of the DB.
class Node {
 public:
  Node(RunningLoop& loop, const std::string& url, const std::string& cluster = "lab") : loop_(loop) {
    loop_.Do([&] {
      DbOptions options;
      options.url = url;
      options.cluster = cluster;
      DbCallbacks callbacks;
      callbacks.snapshot = [this](const DbContent& all) {
        content = all;
        ++snapshots;
      };
      callbacks.changed = [this](const std::string& key, const std::optional<std::string>& value) {
        if (value) {
          content[key] = *value;
        } else {
          content.erase(key);
        }
      };
      auto made = MakeEtcdDb(options, *loop_, std::move(callbacks));
      ASSERT_TRUE(made);
      db = std::move(*made);
      db->Start();
    });
  }
  ~Node() {
    loop_.Do([this] { db.reset(); });
  }
  void Do(const std::function<void(ClusterDb&)>& work) {
    loop_.Do([&] { work(*db); });
  }
  [[nodiscard]] bool Has(const std::string& key, const std::string& value) const {
    const auto found = content.find(key);
    return found != content.end() && found->second == value;
  }

  // On the loop's thread alone.
  DbContent content;
  int snapshots = 0;
  std::unique_ptr<ClusterDb> db;

 private:
  RunningLoop& loop_;
};

class EtcdDbTest : public testing::Test {
 protected:
  void SetUp() override { etcd_.Start(); }
  [[nodiscard]] std::string Url() const { return "etcd://" + etcd_.endpoint(); }
  // Asks on the loop's thread until it is so.
  bool Until(const std::function<bool()>& predicate, seconds limit = seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (true) {
      bool is_so = false;
      loop_.Do([&] { is_so = predicate(); });
      if (is_so || std::chrono::steady_clock::now() > until) return is_so;
      std::this_thread::sleep_for(milliseconds(10));
    }
  }

  Etcd etcd_;
  RunningLoop loop_;
};

TEST_F(EtcdDbTest, WhatOneWritesTheOtherSees) {
  Node a(loop_, Url());
  Node b(loop_, Url());
  Node other(loop_, Url(), "lab2");
  a.Do([&](ClusterDb& db) { db.Put("members/a", "one"); });  // before it is connected
  a.Do([&](ClusterDb& db) { db.Put("members/gone", "x"); });
  a.Do([&](ClusterDb& db) { db.Put("members/a", "two"); });
  EXPECT_TRUE(Until([&] { return b.Has("members/a", "two") && b.Has("members/gone", "x"); }));
  a.Do([&](ClusterDb& db) { db.Delete("members/gone"); });
  EXPECT_TRUE(Until([&] { return b.content.size() == 1 && a.db->pending() == 0; }));
  EXPECT_TRUE(Until([&] { return other.snapshots == 1; }));
  other.Do([&](ClusterDb&) { EXPECT_TRUE(other.content.empty()) << "another cluster's keys"; });
}

TEST_F(EtcdDbTest, MoreThanOnePageIsReadWhole) {
  Node a(loop_, Url());
  for (int i = 0; i < 1200; ++i) a.db->Put("incidents/" + std::to_string(i), std::string(100, 'x'));
  ASSERT_TRUE(Until([&] { return a.db->reachable() && a.db->pending() == 0; }));
  Node b(loop_, Url());
  EXPECT_TRUE(Until([&] { return b.snapshots == 1; }));
  b.Do([&](ClusterDb&) { EXPECT_EQ(b.content.size(), 1200u); });
}

TEST_F(EtcdDbTest, ALeaseEndsWithItsHolderAndTheElectionGoesOn) {
  auto a = std::make_unique<Node>(loop_, Url());
  a->Do([&](ClusterDb& db) { db.Hold("alive/a", "a"); });
  a->Do([&](ClusterDb& db) { db.Campaign("primary", "a"); });
  Node b(loop_, Url());
  ASSERT_TRUE(Until([&] { return b.Has("alive/a", "a") && b.Has("primary", "a"); }));
  b.Do([&](ClusterDb& db) { db.Campaign("primary", "b"); });
  a.reset();  // as if it were killed: nothing is given back
  EXPECT_TRUE(Until([&] { return !b.content.contains("alive/a") && b.Has("primary", "b"); }));
}

TEST_F(EtcdDbTest, WhatIsReleasedIsGoneAtOnce) {
  Node a(loop_, Url());
  a.Do([&](ClusterDb& db) { db.Hold("alive/a", "a"); });
  Node b(loop_, Url());
  ASSERT_TRUE(Until([&] { return b.Has("alive/a", "a"); }));
  a.Do([&](ClusterDb& db) { db.Release(); });
  EXPECT_TRUE(Until([&] { return !b.content.contains("alive/a"); }));
  EXPECT_FALSE(Until([&] { return b.content.contains("alive/a"); }, seconds(2))) << "not held again";
}

// What Exchange answered: "yes", "no" or an error; on the loop's thread alone.
struct Answers {
  std::function<void(Result<bool>)> Next() {
    return [this](const Result<bool>& done) {
      all.push_back(!done ? "error: " + done.error().message : *done ? "yes" : "no");
    };
  }
  std::vector<std::string> all;
};

TEST_F(EtcdDbTest, AnExchangeNeedsTheValueThatIsThere) {
  Node a(loop_, Url());
  ASSERT_TRUE(Until([&] { return a.db->reachable(); }));
  Answers answers;
  const auto exchange = [&](std::optional<std::string> expected, std::optional<std::string> value) {
    const size_t before = answers.all.size();
    a.Do([&](ClusterDb& db) { db.Exchange("tokens/1", expected, value, answers.Next()); });
    ASSERT_TRUE(Until([&] { return answers.all.size() == before + 1; }));
  };
  exchange("one", "two");
  exchange(std::nullopt, "one");
  exchange(std::nullopt, "other");
  exchange("wrong", std::nullopt);
  exchange("one", "two");
  EXPECT_TRUE(Until([&] { return a.Has("tokens/1", "two"); }));
  exchange("two", std::nullopt);
  EXPECT_THAT(answers.all, testing::ElementsAre("no", "yes", "no", "no", "yes", "yes"));
  EXPECT_TRUE(Until([&] { return a.content.empty(); }));
}

TEST_F(EtcdDbTest, OfManyWhoExchangeAtOnceOneSucceeds) {
  Node a(loop_, Url());
  Node b(loop_, Url());
  ASSERT_TRUE(Until([&] { return a.db->reachable() && b.db->reachable(); }));
  for (int round = 0; round < 20; ++round) {
    const std::string key = "tokens/" + std::to_string(round);
    a.Do([&](ClusterDb& db) { db.Put(key, "free"); });
    ASSERT_TRUE(Until([&] { return b.Has(key, "free"); }));
    Answers answers;
    loop_.Do([&] {
      for (int i = 0; i < 4; ++i) {
        a.db->Exchange(key, "free", "a", answers.Next());
        b.db->Exchange(key, "free", "b", answers.Next());
      }
    });
    ASSERT_TRUE(Until([&] { return answers.all.size() == 8; }));
    loop_.Do([&] { EXPECT_EQ(std::count(answers.all.begin(), answers.all.end(), "yes"), 1); });
  }
}

TEST_F(EtcdDbTest, AnExchangeIsAnsweredAlsoWhereTheServerStandsStill) {
  Node a(loop_, Url());
  ASSERT_TRUE(Until([&] { return a.db->reachable(); }));
  etcd_.Signal(SIGSTOP);
  Answers answers;
  a.Do([&](ClusterDb& db) { db.Exchange("tokens/1", std::nullopt, "one", answers.Next()); });
  ASSERT_TRUE(Until([&] { return answers.all.size() == 1; }));
  ASSERT_TRUE(Until([&] { return !a.db->reachable(); }));
  a.Do([&](ClusterDb& db) { db.Exchange("tokens/1", std::nullopt, "one", answers.Next()); });
  ASSERT_TRUE(Until([&] { return answers.all.size() == 2; }));
  loop_.Do([&] { EXPECT_THAT(answers.all, testing::Each(testing::StartsWith("error: "))); });
}

TEST_F(EtcdDbTest, AServerThatStandsStillIsLeftAndFoundAgain) {
  Node a(loop_, Url());
  a.Do([&](ClusterDb& db) { db.Hold("alive/a", "a"); });
  ASSERT_TRUE(Until([&] { return a.Has("alive/a", "a"); }));
  etcd_.Signal(SIGSTOP);
  ASSERT_TRUE(Until([&] { return !a.db->reachable(); }));
  a.Do([&](ClusterDb& db) { EXPECT_THAT(db.problem(), testing::HasSubstr(etcd_.endpoint())); });
  a.Do([&](ClusterDb& db) { db.Put("incidents/1", "made while it was away"); });
  etcd_.Signal(SIGCONT);
  EXPECT_TRUE(Until([&] { return a.Has("incidents/1", "made while it was away") && a.Has("alive/a", "a"); }));
  a.Do([&](ClusterDb& db) {
    EXPECT_GE(a.snapshots, 2);
    EXPECT_EQ(db.problem(), "");
  });
}

TEST_F(EtcdDbTest, AKilledServerComesBackWithEverything) {
  Node a(loop_, Url());
  a.Do([&](ClusterDb& db) { db.Put("members/a", "a"); });
  a.Do([&](ClusterDb& db) { db.Hold("alive/a", "a"); });
  ASSERT_TRUE(Until([&] { return a.Has("members/a", "a") && a.Has("alive/a", "a"); }));
  etcd_.Kill();
  ASSERT_TRUE(Until([&] { return !a.db->reachable(); }));
  etcd_.Start();
  EXPECT_TRUE(Until([&] { return a.snapshots >= 2 && a.Has("members/a", "a") && a.Has("alive/a", "a"); }));
}

TEST_F(EtcdDbTest, TheNextServerIsTried) {
  Node a(loop_, "etcd://127.0.0.1:1," + etcd_.endpoint());
  EXPECT_TRUE(Until([&] { return a.db->reachable(); }));
}

TEST_F(EtcdDbTest, GoesWhileACallIsUnderWay) {
  for (int i = 0; i < 20; ++i) {
    Node a(loop_, Url());
    a.Do([&](ClusterDb& db) { db.Hold("alive/a", "a"); });
    (void)Until([&] { return i % 4 == 3 && a.db->reachable(); }, seconds(0));
  }
}

TEST(EtcdUrlTest, AUrlThatIsNoneIsRefused) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  for (const char* url :
       {"etcd:10.0.0.1", "etcd://", "etcd://host:2379", "etcd://10.0.0.1", "etcd://10.0.0.1:2379,"}) {
    DbOptions options;
    options.url = url;
    EXPECT_FALSE(MakeEtcdDb(options, **loop, {})) << url;
  }
}

}  // namespace
}  // namespace ffdc
