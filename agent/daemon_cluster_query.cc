// SPDX-License-Identifier: Apache-2.0
// What a person asks any node about all of them.
#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/event_detail.h"
#include "daemon_cluster.h"
#include "incident/completeness.h"
#include "peer/handshakes.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

constexpr size_t kMaxAnswerBytes = kMaxPeerReplyBytes / 2;

std::string NoSuch(const std::string& prefix) {
  return "there is no incident " + prefix + ": see 'ffdcctl incident list'";
}

}  // namespace

void DaemonCluster::OnIncidents(const v1::PeerIncidentsRequest& request,
                                const PeerAnswer<v1::PeerIncidents>& answer) {
  v1::PeerIncidents reply;
  size_t bytes = 0;
  for (const v1::Incident* incident : incidents_.List(0, request.state())) {
    if (!incident->id().starts_with(request.id_prefix())) continue;
    if (request.limit() != 0 && static_cast<uint32_t>(reply.incidents_size()) >= request.limit()) break;
    v1::Incident& copy = *reply.add_incidents();
    copy = *incident;
    if (request.id_prefix().empty()) DropDetail(copy);
    bytes += copy.ByteSizeLong();
    if (bytes > kMaxAnswerBytes) break;
  }
  answer(std::move(reply));
}

// Asks all peers at once; done gets what came, with this node's own and the DB's.
void DaemonCluster::Ask(const v1::PeerIncidentsRequest& request,
                        std::function<void(Copies, std::vector<std::string>)> done) {
  struct Asked {
    Copies copies;
    std::vector<std::string> unanswered;
    size_t left = 1;
  };
  auto asked = std::make_shared<Asked>();
  for (const v1::Incident* incident : incidents_.List(0, "")) {
    if (incident->id().starts_with(request.id_prefix())) asked->copies[incident->id()][self()] = *incident;
  }
  const auto finish = [this, asked, request, done = std::move(done)] {
    if (--asked->left != 0) return;
    for (const auto& [id, copies] : db_copies_) {
      if (!id.starts_with(request.id_prefix())) continue;
      for (const auto& [node, copy] : copies) asked->copies[id].try_emplace(node, copy);
    }
    // What the DB says of it is newer than the copies of nodes that are gone.
    for (auto& [id, copies] : asked->copies) {
      const auto pin = pins_.find(id);
      if (pin == pins_.end()) continue;
      for (auto& [node, copy] : copies) copy.set_pinned(pin->second);
    }
    std::sort(asked->unanswered.begin(), asked->unanswered.end());
    done(std::move(asked->copies), std::move(asked->unanswered));
  };
  for (const std::string& node : Peers()) {
    ++asked->left;
    clients_->Incidents(node, request, [asked, node, finish](Result<v1::PeerIncidents> reply) {
      if (!reply) {
        asked->unanswered.push_back(node + ": " + reply.error().message);
      } else {
        for (v1::Incident& incident : *reply->mutable_incidents()) {
          std::string id = incident.id();
          asked->copies[std::move(id)][node] = std::move(incident);
        }
      }
      finish();
    });
  }
  finish();
}

void DaemonCluster::ListIncidents(uint32_t limit, const std::string& state,
                                  std::function<void(v1::IncidentList)> done) {
  v1::PeerIncidentsRequest request;
  request.set_cluster(settings_.node.cluster);
  // The origin alone knows whether one is open: a state is sorted out here.
  if (state.empty()) request.set_limit(limit);
  Ask(request, [limit, state, done = std::move(done)](const Copies& copies,
                                                      const std::vector<std::string>& unanswered) {
    v1::IncidentList list;
    for (auto entry = copies.rbegin(); entry != copies.rend(); ++entry) {
      if (limit != 0 && static_cast<uint32_t>(list.incidents_size()) >= limit) break;
      v1::Incident merged = MergeCopies(entry->second);
      if (merged.events().empty()) continue;  // of a capture alone nobody can tell what it is of
      if (copies.contains(merged.merged_into())) continue;
      if (state == "open" && merged.state() != v1::OPEN) continue;
      if (state == "closed" && merged.state() != v1::CLOSED) continue;
      *list.add_incidents() = std::move(merged);
    }
    for (const std::string& node : unanswered) list.add_unanswered(node);
    done(std::move(list));
  });
}

void DaemonCluster::FindIncident(const std::string& prefix,
                                 std::function<void(Result<v1::IncidentDetail>)> done) {
  v1::PeerIncidentsRequest request;
  request.set_cluster(settings_.node.cluster);
  request.set_id_prefix(prefix);
  Ask(request,
      [prefix, done = std::move(done)](const Copies& copies, const std::vector<std::string>& unanswered) {
        if (prefix.empty() || copies.empty()) return done(Fail(NoSuch(prefix), ENOENT));
        if (copies.size() > 1 && !copies.contains(prefix)) {
          return done(Fail("incident " + prefix + " is ambiguous: " + copies.begin()->first + " and " +
                               std::next(copies.begin())->first + " begin with it: give more characters",
                           EINVAL));
        }
        const auto& found = copies.contains(prefix) ? copies.at(prefix) : copies.begin()->second;
        v1::IncidentDetail detail;
        *detail.mutable_incident() = MergeCopies(found);
        for (const std::string& node : unanswered) detail.add_unanswered(node);
        done(std::move(detail));
      });
}

void DaemonCluster::PinIncident(const std::string& prefix, bool pinned,
                                std::function<void(Result<v1::Incident>)> done) {
  FindIncident(prefix, [this, pinned, done = std::move(done)](Result<v1::IncidentDetail> found) {
    if (!found) return done(Unexpected(std::move(found).error()));
    v1::Incident incident = std::move(*found->mutable_incident());
    const std::string& id = incident.id();
    incident.set_pinned(pinned);
    (void)incidents_.Pin(id, pinned);  // one that was not captured here has no copy to pin
    if (clustered()) {
      pins_[id] = pinned;
      db_->Put(Membership::PinKey(id), pinned ? Membership::kPinnedValue : "unpinned");
    }
    done(std::move(incident));
  });
}

// Said on any node, perhaps while this one was away: retention asks each node of its own copy.
void DaemonCluster::OnPinEntry(const std::string& id, const std::optional<std::string>& value) {
  if (!IsUuid(id)) return;
  if (!value) {
    pins_.erase(id);
    return;
  }
  const bool pinned = *value == Membership::kPinnedValue;
  pins_[id] = pinned;
  const v1::Incident* incident = incidents_.Get(id);
  if (incident != nullptr && incident->pinned() != pinned) (void)incidents_.Pin(id, pinned);
}

Result<std::vector<std::string>> DaemonCluster::FindNodes(bool all,
                                                          const std::vector<std::string>& names) const {
  const std::vector<std::string> peers = Peers();
  if (all) return peers;
  std::set<std::string> wanted;
  for (const std::string& name : names) {
    if (name == self()) continue;
    if (std::find(peers.begin(), peers.end(), name) == peers.end())
      return Fail("there is no node '" + name + "' that runs: see 'ffdcctl node list'", ENOENT);
    wanted.insert(name);
  }
  return std::vector<std::string>(wanted.begin(), wanted.end());
}

v1::Node DaemonCluster::NodeOf(const v1::Member& member) const {
  v1::Node node;
  node.set_name(member.node());
  node.set_address(member.address());
  node.set_version(member.version());
  node.set_certificate_sha256(member.certificate_sha256());
  *node.mutable_joined_at() = member.joined_at();
  node.set_is_primary(db_->reachable() && membership_.primary() == member.node());
  node.set_is_self(member.node() == self());
  if (node.is_self()) {
    node.set_state(v1::ALIVE);
    return node;
  }
  if (member.stopped()) {
    node.set_state(v1::STOPPED);
    return node;
  }
  const auto peer = peers_.find(member.node());
  const bool answers = peer != peers_.end() && peer->second.answers;
  if (peer != peers_.end()) node.set_error(peer->second.error);
  if (answers) {
    node.set_state(v1::ALIVE);
  } else if (!db_->reachable()) {
    node.set_state(v1::UNKNOWN);
  } else {
    node.set_state(membership_.alive().contains(member.node()) ? v1::UNREACHABLE : v1::NODE_FAILED);
  }
  if (const auto clock = clients_->ClockOf(member.node())) {
    node.set_clock_offset_ns(clock->offset_ns);
    node.set_clock_uncertainty_ns(std::max<uint64_t>(clock->uncertainty_ns, 1));
    node.set_round_trip_ns(clock->round_trip_ns);
  }
  return node;
}

v1::NodeList DaemonCluster::ListNodes() const {
  v1::NodeList list;
  if (membership_.Find(self()) == nullptr) *list.add_nodes() = NodeOf(own_);
  for (const auto& [name, member] : membership_.members()) *list.add_nodes() = NodeOf(member);
  if (!db_->reachable())
    list.set_note("the cluster DB cannot be reached: this is what node " + self() + " knew before (" +
                  db_->problem() + ")");
  return list;
}

Result<v1::NodeList> DaemonCluster::RemoveNode(const std::string& name) {
  if (membership_.Find(name) == nullptr)
    return Fail("there is no node '" + name + "': see 'ffdcctl node list'", ENOENT);
  if (!db_->reachable())
    return Fail("no node can be removed while the cluster DB cannot be reached: " + db_->problem(), EAGAIN);
  const bool runs = name == self() || membership_.alive().contains(name) ||
                    NodeOf(*membership_.Find(name)).state() == v1::ALIVE;
  if (runs) return Fail("node '" + name + "' runs: stop its agent first, or it joins again", EBUSY);
  db_->Delete(Membership::MemberKey(name));
  v1::NodeList list = ListNodes();
  auto& nodes = *list.mutable_nodes();
  nodes.erase(
      std::remove_if(nodes.begin(), nodes.end(), [&](const v1::Node& node) { return node.name() == name; }),
      nodes.end());
  return list;
}

v1::ClusterStatus DaemonCluster::Status() const {
  v1::ClusterStatus status;
  status.set_db(left_ ? "embedded" : settings_.cluster.db);
  status.set_db_reachable(db_->reachable());
  status.set_db_error(db_->problem());
  status.set_primary(clustered() && db_->reachable() ? membership_.primary() : "");
  status.set_members(static_cast<uint32_t>(std::max<size_t>(membership_.members().size(), 1)));
  status.set_peers(static_cast<uint32_t>(peers_.size()));
  status.set_peers_reachable(static_cast<uint32_t>(
      std::count_if(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.second.answers; })));
  status.set_alerts_sent(alerts_sent_);
  status.set_alerts_received(alerts_received_);
  status.set_alerts_duplicate(alerts_duplicate_);
  status.set_alerts_missed(alerts_missed_);
  if (handoff_) {
    status.set_captures_given(handoff_->given());
    status.set_captures_stored_for_peers(handoff_->stored_for_peers());
  }
  if (clients_) {
    const PeerCounts refused = dispatch_->counts();
    status.set_peers_refused(refused.refused + RefusedHandshakes());
    status.set_calls_refused(refused.overloaded);
    status.set_joins_refused(refused.joins);
    v1::Certificate& certificate = *status.mutable_certificate();
    for (const std::string& name : certificate_.names) certificate.add_names(name);
    certificate.set_sha256(certificate_.sha256);
    certificate.mutable_not_after()->set_seconds(certificate_.not_after_s);
  }
  status.set_keeps_ca(!ca_key_.empty());
  status.set_left(left_);
  return status;
}

v1::ClusterView DaemonCluster::View() const {
  v1::ClusterView view;
  view.set_node(self());
  view.set_cluster(settings_.node.cluster);
  *view.mutable_status() = Status();
  v1::NodeList nodes = ListNodes();
  *view.mutable_nodes() = std::move(*nodes.mutable_nodes());
  view.set_note(nodes.note());
  v1::Status problems;
  AddProblems(problems);
  *view.mutable_problems() = std::move(*problems.mutable_problems());
  return view;
}

void DaemonCluster::AddProblems(v1::Status& status) const {
  if (left_)
    status.add_problems("this node left cluster " + settings_.node.cluster +
                        ": start its agent anew, without the configuration of a cluster (systemctl restart "
                        "ffdcd)");
  if (!clustered()) return;
  AddCertificateProblem(status);
  if (!db_->problem().empty()) status.add_problems(db_->problem());
  if (!copy_problem_.empty()) status.add_problems(copy_problem_);
  for (const auto& [node, peer] : peers_) {
    if (!peer.answers) status.add_problems("node " + node + " does not answer: " + peer.error);
  }
  if (membership_.left_out() != 0)
    status.add_problems(std::to_string(membership_.left_out()) +
                        " entries of members in the cluster DB make no sense");
  if (alerts_missed_ != 0)
    status.add_problems(std::to_string(alerts_missed_) +
                        " alerts were given up: their nodes did not come back in time");
}

}  // namespace ffdc
