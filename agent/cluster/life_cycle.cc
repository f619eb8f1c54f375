// SPDX-License-Identifier: Apache-2.0
#include "cluster/life_cycle.h"

#include <algorithm>

namespace ffdc {
namespace {

constexpr uint64_t kMillisecondNs = 1'000'000;
// An election among the DB's servers takes about two seconds, and is no loss.
constexpr uint64_t kDbLostAfterNs = 4000 * kMillisecondNs;
constexpr uint64_t kDbStepNs = 400 * kMillisecondNs;
constexpr size_t kDbSteps = 10;
// Longer than a lease, so that a dead node is called that, not unreachable.
constexpr uint64_t kUnreachableAfterNs = 6000 * kMillisecondNs;

std::string Seconds(uint64_t ns) { return std::to_string(ns / (1000 * kMillisecondNs)) + " s"; }

}  // namespace

void LifeCycle::OnMember(const std::string& name, bool alive, bool stopped, uint64_t now_ns) {
  if (name == self_) return;
  const bool is_new = !nodes_.contains(name);
  Node& node = nodes_[name];
  const bool was_alive = node.alive;
  const bool was_stopped = node.stopped;
  node.alive = alive;
  node.stopped = stopped;
  if (alive) {
    node.ever_alive = true;
    node.doubted = false;
    node.lease_gone_ns = 0;
    // Back, or started anew: it may take as long to answer as anybody.
    if (!was_alive && node.silent_since_ns != 0) node.silent_since_ns = now_ns;
    if (node.told_failed) {
      node.told_failed = false;
      Tell("node.failed", name, "node " + name + " is back", now_ns, true);
    }
    // One that was alive when this node came is no news.
    if (!was_alive && !is_new && primary_) Tell("node.joined", name, "node " + name + " joined", now_ns);
  } else if (was_alive || (is_new && !stopped)) {
    node.lease_gone_ns = now_ns;
    node.doubted = was_alive;
  }
  if (stopped && !was_stopped && !is_new && primary_)
    Tell("node.left", name, "node " + name + " stopped in good order", now_ns);
}

void LifeCycle::OnRemoved(const std::string& name, uint64_t now_ns) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return;
  if (found->second.told_failed) Tell("node.failed", name, "node " + name + " was removed", now_ns, true);
  if (found->second.told_unreachable)
    Tell("peer.unreachable", name, "node " + name + " was removed", now_ns, true);
  if (primary_ && !found->second.stopped) Tell("node.left", name, "node " + name + " was removed", now_ns);
  nodes_.erase(found);
}

void LifeCycle::OnPing(const std::string& name, bool answered, const std::string& error, uint64_t now_ns) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  node.last_ping_ns = now_ns;
  node.error = error;
  if (answered) {
    node.silent_since_ns = 0;
    if (node.told_unreachable) {
      node.told_unreachable = false;
      Tell("peer.unreachable", name, "node " + name + " answers again", now_ns, true);
    }
    return;
  }
  if (node.silent_since_ns == 0) node.silent_since_ns = now_ns;
  Look(name, node, now_ns);
}

void LifeCycle::OnDb(bool reachable, const std::string& problem, uint64_t now_ns) {
  db_problem_ = problem;
  if (reachable == db_reachable_ && (reachable || db_gone_ns_ != 0)) return;
  db_reachable_ = reachable;
  db_gone_ns_ = reachable ? 0 : now_ns;
  if (!reachable || !db_told_) return;
  db_told_ = false;
  Tell("db.lost", "", "the cluster DB answers again", now_ns, true);
}

// Neither the DB nor anybody else can be reached: what failed is this node's own way to them.
bool LifeCycle::CutOff() const {
  bool any = false;
  for (const auto& [name, node] : nodes_) {
    if (node.stopped) continue;
    if (node.silent_since_ns == 0) return false;
    any = true;
  }
  return any && !db_reachable_;
}

void LifeCycle::Look(const std::string& name, Node& node, uint64_t now_ns) {
  if (node.stopped || node.silent_since_ns == 0) return;
  // A lease says something only while somebody can see it.
  const bool lease_gone = db_reachable_ && !node.alive;
  if (lease_gone) {
    if (!primary_ || !node.ever_alive || node.told_failed || node.last_ping_ns < node.lease_gone_ns) return;
    node.told_failed = true;
    return Tell("node.failed", name,
                "node " + name + " failed: its lease ended and it does not answer (" + node.error + ")",
                node.silent_since_ns);
  }
  if (node.told_unreachable || now_ns < node.silent_since_ns + kUnreachableAfterNs) return;
  const bool cut_off = CutOff();
  if (cut_off && !db_told_) return;  // that is one failure, and begins with the DB
  node.told_unreachable = true;
  Tell("peer.unreachable", name,
       "node " + name + " does not answer for " + Seconds(now_ns - node.silent_since_ns) + " (" + node.error +
           ")" + (db_reachable_ ? ", but its lease is alive" : ""),
       node.silent_since_ns, false, cut_off);
}

void LifeCycle::Tick(size_t rank, uint64_t now_ns) {
  const uint64_t lost_after_ns = kDbLostAfterNs + std::min(rank, kDbSteps) * kDbStepNs;
  if (!db_reachable_ && !db_told_ && db_gone_ns_ != 0 && now_ns >= db_gone_ns_ + lost_after_ns) {
    db_told_ = true;
    Tell("db.lost", "",
         (CutOff() ? "cut off: no peer answers, and no cluster DB: " : "no cluster DB: ") + db_problem_,
         db_gone_ns_);
  }
  for (auto& [name, node] : nodes_) Look(name, node, now_ns);
}

bool LifeCycle::InDoubt(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found != nodes_.end() && found->second.doubted && !found->second.stopped;
}

void LifeCycle::Tell(const std::string& kind, const std::string& node, const std::string& summary,
                     uint64_t since_ns, bool ended, bool cut_off) {
  sink_({kind, node, summary, since_ns, ended, cut_off});
}

}  // namespace ffdc
