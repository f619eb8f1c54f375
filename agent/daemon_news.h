// SPDX-License-Identifier: Apache-2.0
// The cluster's news for those who watch it: this node's own at once, and, while
// somebody watches, what the peers tell when asked, twice a second. Loop thread only.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "cluster/news.h"
#include "peer/clients.h"
#include "peer/peer_service.h"

namespace ffdc {

class NewsDesk {
 public:
  using Sink = std::function<void(const v1::News&)>;
  struct Watcher {
    Sink sink;
    bool begun = false;
  };
  using Watchers = std::list<Watcher>;
  NewsDesk(std::string node, std::string cluster, std::string run_id, EventLoop& loop)
      : node_(std::move(node)), cluster_(std::move(cluster)), own_(std::move(run_id)), loop_(loop) {}

  // Of a node in a cluster. peers: the names of those to ask.
  void SetPeers(PeerClients* clients, std::function<std::vector<std::string>()> peers);

  void Tell(const v1::News& news);  // of this node
  void OnAsked(const v1::PeerNewsRequest& request, const PeerAnswer<v1::PeerNews>& answer) const;

  // From now on, until it is unwatched. "watch.began" tells when nothing of any node that is heard escapes
  // it.
  Watchers::iterator Watch(Sink sink);
  void Unwatch(Watchers::iterator watcher);

 private:
  struct Peer {
    std::string run_id;  // where its news go on
    uint64_t seq = 0;
    bool asked = false;
    bool silent = false;
  };
  void AskPeers();
  void OnAnswer(const std::string& node, const Result<v1::PeerNews>& reply);
  void Show(const v1::News& news);
  void BeginWatches();

  std::string node_;
  std::string cluster_;
  NewsLog own_;
  EventLoop& loop_;
  PeerClients* clients_ = nullptr;
  std::function<std::vector<std::string>()> names_;
  Watchers watchers_;
  std::map<std::string, Peer> peers_;  // while somebody watches; one without a run_id has not answered yet
  bool asking_ = false;                // a timer runs
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace ffdc
