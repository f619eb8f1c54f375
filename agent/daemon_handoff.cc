// SPDX-License-Identifier: Apache-2.0
#include "daemon_handoff.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

namespace ffdc {
namespace {

using std::chrono::minutes;

constexpr minutes kPatience{2};   // with a peer that gets no further
constexpr minutes kKeptFor{60};   // what became of a peer's capture, or a part of one
constexpr int kMaxBegunAnew = 2;  // a peer whose disk damages what it gets

auto Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Handoff::Handoff(const Settings& settings, Launcher& launcher, Shipper& shipper, PeerClients& clients,
                 std::function<std::vector<std::string>()> peers)
    : settings_(settings),
      shipper_(shipper),
      clients_(clients),
      peers_(std::move(peers)),
      workers_(launcher, settings.spool.path, settings.node.cluster) {}

// --- out -------------------------------------------------------------------

template <class Value>
std::function<void(Result<Value>)> Handoff::Step(void (Handoff::*next)(const Value&)) {
  out_->asked = true;
  return [this, next, weak = std::weak_ptr<Outgoing>(out_)](const Result<Value>& value) {
    if (weak.expired()) return;
    out_->asked = false;
    if (!value) return GiveUp(value.error().message);
    (this->*next)(*value);
  };
}

void Handoff::Tick() {
  for (auto entry = in_.begin(); entry != in_.end();) {
    const Incoming& incoming = entry->second;
    const bool old = !incoming.busy && incoming.last + kKeptFor < Now();
    if (old && incoming.state == Incoming::State::kReceiving)
      workers_.Drop(entry->first.first, entry->first.second);
    const bool forget = old && incoming.state != Incoming::State::kStoring;
    entry = forget ? in_.erase(entry) : std::next(entry);
  }
  if (!out_) return Begin();
  const bool all_sent = out_->offer.archive_bytes() != 0 && out_->sent_bytes == out_->offer.archive_bytes();
  if (!shipper_.store_status().lost() && !all_sent) return GiveUp("");
  if (Now() > out_->until)
    return GiveUp("it got no further for " + std::to_string(kPatience.count()) + " minutes");
  if (all_sent && !out_->asked) Offer();  // is it stored by now?
}

void Handoff::Begin() {
  if (!shipper_.store_status().lost()) {
    backoff_.clear();
    return;
  }
  const std::string peer = ChoosePeer();
  if (peer.empty()) return;
  const std::string id = shipper_.HoldForHandoff();
  if (id.empty()) return;
  out_ = std::make_shared<Outgoing>();
  out_->peer = peer;
  out_->manifest.set_incident_id(id);
  out_->until = Now() + kPatience;
  workers_.Describe(id, Step(&Handoff::OnDescribed));
}

// Another one for each node, where there are several.
std::string Handoff::ChoosePeer() const {
  std::vector<std::string> peers = peers_();
  std::erase_if(peers, [this](const std::string& peer) {
    const auto known = backoff_.find(peer);
    return known != backoff_.end() && !known->second.Over();
  });
  if (peers.empty()) return {};
  std::sort(peers.begin(), peers.end());
  const auto next = std::upper_bound(peers.begin(), peers.end(), settings_.node.name);
  return next == peers.end() ? peers.front() : *next;
}

void Handoff::OnDescribed(const v1::StoreReply& reply) {
  out_->manifest = reply.manifests(0);
  v1::CaptureOffer& offer = out_->offer;
  offer.set_cluster(settings_.node.cluster);
  offer.set_incident_id(out_->manifest.incident_id());
  offer.set_store_id(shipper_.store_status().id());
  offer.set_manifest_json(reply.manifest_json());
  offer.set_incident_json(reply.incident_json());
  offer.set_archive_bytes(reply.archive_bytes());
  Offer();
}

void Handoff::Offer() { clients_.Offer(out_->peer, out_->offer, Step(&Handoff::OnOffered)); }

void Handoff::OnOffered(const v1::CaptureOfferReply& reply) {
  if (!reply.refused().empty()) return GiveUp(reply.refused());
  if (reply.stored()) {
    ++given_;
    backoff_.erase(out_->peer);
    const auto done = std::move(out_);
    return shipper_.HandoffEnded(done->manifest, done->peer);
  }
  if (out_->sent_bytes == 0 && reply.received_bytes() < out_->offer.archive_bytes())
    spdlog::info("incident {}: its capture goes to node {}, which can reach the store, from byte {} of {}",
                 out_->offer.incident_id(), out_->peer, reply.received_bytes(), out_->offer.archive_bytes());
  GoOnFrom(reply.received_bytes(), reply.received_bytes() >= out_->sent_bytes);
}

void Handoff::SendPart() {
  workers_.Read(out_->offer.incident_id(), out_->sent_bytes, Step(&Handoff::OnRead));
}

void Handoff::OnRead(const v1::StoreReply& reply) {
  v1::CapturePart part;
  part.set_cluster(settings_.node.cluster);
  part.set_incident_id(out_->offer.incident_id());
  part.set_offset_bytes(out_->sent_bytes);
  part.set_data(reply.data());
  clients_.SendPart(out_->peer, part, Step(&Handoff::OnSent));
}

void Handoff::OnSent(const v1::CapturePartReply& reply) {
  GoOnFrom(reply.received_bytes(), reply.received_bytes() > out_->sent_bytes);
}

void Handoff::GoOnFrom(uint64_t received_bytes, bool is_progress) {
  if (received_bytes > out_->offer.archive_bytes()) return GiveUp("it has more of it than there is");
  if (!is_progress && ++out_->begun_anew > kMaxBegunAnew) return GiveUp("what it got is not what was sent");
  if (received_bytes > out_->sent_bytes) out_->until = Now() + kPatience;
  out_->sent_bytes = received_bytes;
  if (received_bytes < out_->offer.archive_bytes()) SendPart();
}

void Handoff::GiveUp(const std::string& problem) {
  const auto given_up = std::move(out_);
  if (!problem.empty()) {
    spdlog::warn("incident {}: node {} does not store its capture, which stays in the spool: {}",
                 given_up->manifest.incident_id(), given_up->peer, problem);
    backoff_[given_up->peer].Failed();
  }
  shipper_.HandoffEnded(given_up->manifest, {});
}

// --- in --------------------------------------------------------------------

// Empty: it is taken.
std::string Handoff::WhyNot(const std::string& peer, const v1::CaptureOffer& offer) const {
  const v1::StoreStatus store = shipper_.store_status();
  if (!store.reachable() || store.lost()) return "it cannot reach the store either";
  if (!offer.store_id().empty() && offer.store_id() != store.id()) return "it writes to another store";
  const v1::SpoolStatus spool = shipper_.spool_status();
  uint64_t of_peer = offer.archive_bytes();
  uint64_t of_all = offer.archive_bytes() + spool.bytes();
  for (const auto& [key, incoming] : in_) {
    const bool held =
        incoming.state == Incoming::State::kReceiving || incoming.state == Incoming::State::kStoring;
    if (!held || key == Key(peer, offer.incident_id())) continue;
    of_all += incoming.archive_bytes;
    if (key.first == peer) of_peer += incoming.archive_bytes;
  }
  if (of_peer > settings_.peer.handoff_max_bytes)
    return "it takes no more than peer.handoff_max_bytes (" +
           std::to_string(settings_.peer.handoff_max_bytes) + " bytes) of a node at a time";
  if (of_all > spool.max_bytes()) return "its spool has no room for it (spool.max_bytes)";
  return {};
}

void Handoff::OnOffer(const std::string& peer, const v1::CaptureOffer& offer,
                      const PeerAnswer<v1::CaptureOfferReply>& answer) {
  const Key key(peer, offer.incident_id());
  v1::CaptureOfferReply reply;
  if (const auto known = in_.find(key); known != in_.end()) {
    Incoming& incoming = known->second;
    incoming.last = Now();
    reply.set_stored(incoming.state == Incoming::State::kStored);
    if (incoming.state == Incoming::State::kStoring) reply.set_received_bytes(offer.archive_bytes());
    if (incoming.state == Incoming::State::kRefused) {
      reply.set_refused(incoming.problem);
      in_.erase(known);  // it may be otherwise the next time
      return answer(reply);
    }
    if (incoming.state != Incoming::State::kReceiving) return answer(reply);
    if (incoming.busy) return answer(Fail("a part of this capture is being written: try again", EAGAIN));
  }
  reply.set_refused(WhyNot(peer, offer));
  if (!reply.refused().empty()) return answer(reply);
  in_[key] = {Incoming::State::kReceiving, offer.archive_bytes(), {}, true, Now()};
  workers_.Begin(peer, offer, [this, key, answer](const Result<v1::StoreReply>& begun) {
    if (!begun) {
      in_.erase(key);
      return answer(Unexpected(begun.error()));
    }
    Received(key, *begun);
    v1::CaptureOfferReply received;
    received.set_received_bytes(begun->archive_bytes());
    answer(received);
  });
}

void Handoff::OnPart(const std::string& peer, const v1::CapturePart& part,
                     const PeerAnswer<v1::CapturePartReply>& answer) {
  const Key key(peer, part.incident_id());
  const auto known = in_.find(key);
  if (known == in_.end() || known->second.state != Incoming::State::kReceiving || known->second.busy)
    return answer(Fail("no part of this capture is expected: offer it first", EINVAL));
  known->second.busy = true;
  workers_.Add(peer, part, [this, key, answer](const Result<v1::StoreReply>& added) {
    in_[key].busy = false;
    if (!added) return answer(Unexpected(added.error()));
    Received(key, *added);
    v1::CapturePartReply reply;
    reply.set_received_bytes(added->archive_bytes());
    answer(reply);
  });
}

void Handoff::Received(const Key& key, const v1::StoreReply& reply) {
  Incoming& incoming = in_[key];
  incoming.busy = false;
  incoming.last = Now();
  if (reply.handed().empty()) return;
  incoming.state = Incoming::State::kStoring;
  shipper_.StoreForPeer(reply.handed(0));
}

void Handoff::OnStored(const v1::Manifest& manifest, const std::string& problem) {
  Incoming& incoming = in_[Key(manifest.node(), manifest.incident_id())];
  incoming.last = Now();
  incoming.problem = problem;
  incoming.state = problem.empty() ? Incoming::State::kStored : Incoming::State::kRefused;
  if (!problem.empty())
    return spdlog::warn("incident {}: the capture of node {} cannot be stored for it: {}",
                        manifest.incident_id(), manifest.node(), problem);
  ++stored_for_peers_;
  spdlog::info("incident {}: the capture of node {} is stored for it", manifest.incident_id(),
               manifest.node());
}

}  // namespace ffdc
