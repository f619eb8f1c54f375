// SPDX-License-Identifier: Apache-2.0
// A node that lost the store gives its sealed captures to a peer that has it, and this node
// stores those of others. Everything here runs on the loop's thread; nothing of it blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/launcher.h"
#include "config/settings.h"
#include "peer/clients.h"
#include "peer/peer_service.h"
#include "store/handoff_workers.h"
#include "store/shipper.h"

namespace ffdc {

class Handoff {
 public:
  // peers: those that can reach the store that this node has lost, now.
  Handoff(const Settings& settings, Launcher& launcher, Shipper& shipper, PeerClients& clients,
          std::function<std::vector<std::string>()> peers);

  void Tick();  // once a second

  // A peer's captures.
  void OnOffer(const std::string& peer, const v1::CaptureOffer& offer,
               const PeerAnswer<v1::CaptureOfferReply>& answer);
  void OnPart(const std::string& peer, const v1::CapturePart& part,
              const PeerAnswer<v1::CapturePartReply>& answer);
  // problem: why it cannot be stored; empty: it is.
  void OnStored(const v1::Manifest& manifest, const std::string& problem);

  [[nodiscard]] uint64_t given() const { return given_; }
  [[nodiscard]] uint64_t stored_for_peers() const { return stored_for_peers_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  // One at a time: what is given away is what waits, and the peer's store takes it one by one.
  struct Outgoing {
    std::string peer;
    v1::Manifest manifest;  // its incident alone, until it is read
    v1::CaptureOffer offer;
    uint64_t sent_bytes = 0;
    int begun_anew = 0;
    bool asked = false;  // a worker or the peer has it in hand
    Time until;          // the peer must have got on by then
  };
  struct Incoming {
    enum class State { kReceiving, kStoring, kStored, kRefused };
    State state = State::kReceiving;
    uint64_t archive_bytes = 0;
    std::string problem;
    bool busy = false;  // a worker writes to it
    Time last;
  };
  using Key = std::pair<std::string, std::string>;  // node, incident id
  // Runs while that one is still the one under way; keeps nothing alive.
  template <class Value>
  std::function<void(Result<Value>)> Step(void (Handoff::*next)(const Value&));

  void Begin();
  [[nodiscard]] std::string ChoosePeer() const;
  void OnDescribed(const v1::StoreReply& reply);
  void Offer();
  void OnOffered(const v1::CaptureOfferReply& reply);
  void SendPart();
  void OnRead(const v1::StoreReply& reply);
  void OnSent(const v1::CapturePartReply& reply);
  void GoOnFrom(uint64_t received_bytes, bool is_progress);
  // problem: why this peer did not do it; empty: it is not needed any more.
  void GiveUp(const std::string& problem);

  [[nodiscard]] std::string WhyNot(const std::string& peer, const v1::CaptureOffer& offer) const;
  void Received(const Key& key, const v1::StoreReply& reply);

  const Settings& settings_;
  Shipper& shipper_;
  PeerClients& clients_;
  std::function<std::vector<std::string>()> peers_;
  HandoffWorkers workers_;
  std::shared_ptr<Outgoing> out_;
  std::map<std::string, Backoff> backoff_;  // of peers that did not do it
  std::map<Key, Incoming> in_;
  uint64_t given_ = 0;
  uint64_t stored_for_peers_ = 0;
};

}  // namespace ffdc
