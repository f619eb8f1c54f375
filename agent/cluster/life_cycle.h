// SPDX-License-Identifier: Apache-2.0
// From leases, pings and the state of the cluster DB to conditions: which node
// failed, whose path is cut, and when the DB is lost. A slow DB is not a dead
// node: a node has failed once its lease is gone and it does not answer either.
// No I/O; times are given. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace ffdc {

struct ClusterCondition {
  std::string kind;     // "node.failed", "node.joined", "node.left", "peer.unreachable", "db.lost"
  std::string node;     // that it is about; empty: the DB
  std::string summary;  // one line a person can read
  uint64_t since_mono_ns = 0;
  bool ended = false;
  bool cut_off = false;  // a peer.unreachable that is this node's own trouble, as its db.lost says
};

class LifeCycle {
 public:
  using Sink = std::function<void(const ClusterCondition&)>;
  LifeCycle(std::string self, Sink sink) : self_(std::move(self)), sink_(std::move(sink)) {}

  // A member: whether its lease is alive, and whether it said that it stops. In each snapshot and change.
  void OnMember(const std::string& node, bool alive, bool stopped, uint64_t now_ns);
  void OnRemoved(const std::string& node, uint64_t now_ns);
  // Whoever is not among the keys of `members` was removed.
  template <class Members>
  void KeepOnly(const Members& members, uint64_t now_ns) {
    for (auto node = nodes_.begin(); node != nodes_.end();) {
      const std::string name = node->first;
      ++node;
      if (!members.contains(name)) OnRemoved(name, now_ns);
    }
  }
  void OnPing(const std::string& node, bool answered, const std::string& error, uint64_t now_ns);
  void OnDb(bool reachable, const std::string& problem, uint64_t now_ns);
  // primary: this node says what concerns a node as a whole, so that only one does.
  void OnPrimary(bool is_self) { primary_ = is_self; }
  // rank: this node's place among the members; the first tells of what all see, the others join.
  void Tick(size_t rank, uint64_t now_ns);

  // Wants a ping now, to tell a dead node from a slow DB.
  [[nodiscard]] bool InDoubt(const std::string& node) const;

 private:
  struct Node {
    bool alive = false;
    bool stopped = false;
    bool ever_alive = false;
    bool told_failed = false;  // by this node
    bool told_unreachable = false;
    bool doubted = false;  // its lease went, unasked
    uint64_t lease_gone_ns = 0;
    uint64_t silent_since_ns = 0;  // 0: the last ping was answered
    uint64_t last_ping_ns = 0;
    std::string error;
  };
  [[nodiscard]] bool CutOff() const;
  void Look(const std::string& name, Node& node, uint64_t now_ns);
  void Tell(const std::string& kind, const std::string& node, const std::string& summary, uint64_t since_ns,
            bool ended = false, bool cut_off = false);

  std::string self_;
  Sink sink_;
  std::map<std::string, Node> nodes_;
  bool primary_ = false;
  bool db_reachable_ = false;
  bool db_told_ = false;
  uint64_t db_gone_ns_ = 0;
  std::string db_problem_;
};

}  // namespace ffdc
