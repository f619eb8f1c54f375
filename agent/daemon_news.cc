// SPDX-License-Identifier: Apache-2.0
#include "daemon_news.h"

#include <algorithm>

#include "base/clock.h"

namespace ffdc {
namespace {

constexpr std::chrono::milliseconds kAskInterval{500};

}  // namespace

void NewsDesk::SetPeers(PeerClients* clients, std::function<std::vector<std::string>()> peers) {
  clients_ = clients;
  names_ = std::move(peers);
}

void NewsDesk::Tell(const v1::News& news) {
  own_.Add(news);
  Show(news);
}

void NewsDesk::Show(const v1::News& news) {
  for (const Watcher& watcher : watchers_) watcher.sink(news);
}

// Once it is known of every node whether it is heard.
void NewsDesk::BeginWatches() {
  std::vector<std::string> silent;
  for (const auto& [node, peer] : peers_) {
    if (peer.silent) silent.push_back(node);
    if (!peer.silent && peer.run_id.empty()) return;
  }
  const int64_t now_ns = SystemClock().RealtimeNs();
  const std::string others = "news of " + std::to_string(peers_.size() - silent.size()) + " of " +
                             std::to_string(peers_.size()) + " other nodes arrive";
  const v1::News began =
      NewsOf("watch.began", node_, peers_.empty() ? "there are no other nodes" : others, now_ns);
  for (Watcher& watcher : watchers_) {
    if (watcher.begun) continue;
    watcher.begun = true;
    watcher.sink(began);
    for (const std::string& node : silent)
      watcher.sink(NewsOf("node.silent", node, "its news do not arrive here", now_ns));
  }
}

void NewsDesk::OnAsked(const v1::PeerNewsRequest& request, const PeerAnswer<v1::PeerNews>& answer) const {
  answer(own_.Since(request.run_id(), request.after_seq()));
}

NewsDesk::Watchers::iterator NewsDesk::Watch(Sink sink) {
  watchers_.push_back({std::move(sink)});
  if (!asking_ && clients_ != nullptr) AskPeers();
  BeginWatches();
  return std::prev(watchers_.end());
}

void NewsDesk::Unwatch(Watchers::iterator watcher) { watchers_.erase(watcher); }

void NewsDesk::AskPeers() {
  asking_ = !watchers_.empty();
  if (!asking_) {
    peers_.clear();
    return;
  }
  const std::vector<std::string> names = names_();
  std::erase_if(peers_, [&](const auto& peer) {
    return std::find(names.begin(), names.end(), peer.first) == names.end();
  });
  v1::PeerNewsRequest request;
  request.set_cluster(cluster_);
  for (const std::string& node : names) {
    Peer& peer = peers_[node];
    if (peer.asked) continue;
    peer.asked = true;
    request.set_run_id(peer.run_id);
    request.set_after_seq(peer.seq);
    clients_->News(node, request, [this, node](const Result<v1::PeerNews>& reply) { OnAnswer(node, reply); });
  }
  loop_.After(kAskInterval, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) AskPeers();
  });
}

void NewsDesk::OnAnswer(const std::string& node, const Result<v1::PeerNews>& reply) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.asked = false;
  const int64_t now_ns = SystemClock().RealtimeNs();
  if (!reply) {
    // Of one that never was heard they know by what follows watch.began.
    if (!peer.silent && !peer.run_id.empty())
      Show(NewsOf("node.silent", node, "its news do not arrive here: " + reply.error().message, now_ns));
    peer.silent = true;
    return BeginWatches();
  }
  // What it could tell nobody meanwhile comes now.
  const bool anew = !peer.run_id.empty() && reply->run_id() != peer.run_id;
  if (peer.silent || anew)
    Show(NewsOf("node.heard", node, anew ? "its agent started anew" : "its news arrive again", now_ns));
  peer.silent = false;
  peer.run_id = reply->run_id();
  peer.seq = reply->seq();
  for (const v1::News& news : reply->news()) Show(news);
  BeginWatches();
}

}  // namespace ffdc
