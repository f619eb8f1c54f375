// SPDX-License-Identifier: Apache-2.0
#include "daemon_cluster.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/clock.h"
#include "base/mem_file.h"
#include "base/pattern.h"
#include "cluster/scope.h"
#include "peer/handshakes.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::chrono::milliseconds kCopyDeadline{10000};
constexpr std::chrono::milliseconds kLeaveStep{20};
constexpr int kLeaveSteps = 25;
// All pings of a node together: what those who answer cost is to be nothing, and how far their clocks are off
// (ClockOffsets) is to be known all the same.
constexpr size_t kPingsASecond = 8;
constexpr size_t kPingsOfSilentASecond = 64;
constexpr uint64_t kMaxPingIntervalS = 16;
constexpr uint64_t kSubjectsEveryNs = 30 * static_cast<uint64_t>(kNsPerSecond);
constexpr size_t kMaxDbIncidents = 1000;
constexpr size_t kMaxDbDeleted = 4096;
constexpr size_t kMaxDbPins = 4096;
constexpr std::string_view kIncidents = "incidents/";
constexpr std::string_view kCaptures = "/captures/";

std::string CopyPath(const Settings& settings) { return settings.spool.path + "/cluster.pb"; }

v1::Domain DomainOf(const std::string& kind) { return kind.starts_with("node.") ? v1::LIFE_CYCLE : v1::X3; }

bool IsMoment(const std::string& kind) { return kind == "node.joined" || kind == "node.left"; }

}  // namespace

DaemonCluster::DaemonCluster(const Settings& settings, EventLoop& loop, Launcher& launcher,
                             IncidentManager& incidents, Shipper& shipper, UuidGenerator& ids,
                             ClusterHooks hooks)
    : settings_(settings),
      loop_(loop),
      launcher_(launcher),
      incidents_(incidents),
      shipper_(shipper),
      ids_(ids),
      hooks_(std::move(hooks)),
      membership_(settings.node.name, [this] { MembersChanged(); }),
      life_cycle_(settings.node.name, [this](const ClusterCondition& condition) { OnCondition(condition); }),
      news_(settings.node.name, settings.node.cluster, ids.Next(), loop) {}

DaemonCluster::~DaemonCluster() {
  alive_.reset();
  // Whoever calls in is let go before what answers goes.
  server_.reset();
  clients_.reset();
  left_db_.reset();
  db_.reset();
}

Result<> DaemonCluster::Start() {
  own_.set_node(self());
  own_.set_version(FFDC_VERSION);
  *own_.mutable_joined_at() = TimeUtil::NanosecondsToTimestamp(SystemClock().RealtimeNs());
  if (clustered()) {
    FFDC_TRY(StartPeers());
    LoadCopy();
  }
  return StartDb();
}

Result<> DaemonCluster::StartPeers() {
  FFDC_ASSIGN(const v1::TlsFiles files, LoadTls(CertificatePaths()));
  FFDC_TRY(TakeCertificate(files));
  own_.set_address(settings_.peer.advertise.empty() ? settings_.peer.listen : settings_.peer.advertise);
  for (const std::string& kind : settings_.alert.kinds) own_.add_alert_kinds(kind);
  // None at all is said by one that fits nothing: an entry without any is told of everything.
  if (settings_.alert.kinds.empty()) own_.add_alert_kinds("");
  TakeGrpcLog([](const std::string& line) { spdlog::warn("{}", line); });
  dispatch_ =
      std::make_shared<PeerDispatch>(PeerDispatchOptions{settings_.node.cluster, FFDC_VERSION}, loop_,
                                     Handlers(), [](const std::string& why) { spdlog::warn("{}", why); });
  clients_ = PeerClients::Create({self(), settings_.node.cluster, tls_}, loop_, dispatch_);
  handoff_ = std::make_unique<Handoff>(settings_, launcher_, shipper_, *clients_,
                                       [this] { return PeersWithStore(); });
  news_.SetPeers(clients_.get(), [this] { return Peers(); });
  FFDC_TRY(Listen());
  spdlog::info("node {} listens to its peers on {}, certificate good until {}", self(), settings_.peer.listen,
               certificate_.not_after);
  return {};
}

PeerHandlers DaemonCluster::Handlers() {
  PeerHandlers handlers;
  handlers.alert = [this](const std::string& peer, const v1::AlertRequest& request, const auto& answer) {
    OnAlert(peer, request, answer);
  };
  handlers.report = [this](const std::string&, const v1::CaptureReport& request, const auto& answer) {
    OnReport(request, answer);
  };
  handlers.incidents = [this](const std::string&, const v1::PeerIncidentsRequest& request,
                              const auto& answer) { OnIncidents(request, answer); };
  handlers.news = [this](const std::string&, const v1::PeerNewsRequest& request, const auto& answer) {
    news_.OnAsked(request, answer);
  };
  handlers.offer = [this](const std::string& peer, const v1::CaptureOffer& offer, const auto& answer) {
    handoff_->OnOffer(peer, offer, answer);
  };
  handlers.part = [this](const std::string& peer, const v1::CapturePart& part, const auto& answer) {
    handoff_->OnPart(peer, part, answer);
  };
  handlers.join = [this](const std::string& from, const v1::JoinRequest& request, const auto& answer) {
    OnJoin(from, request, answer);
  };
  return handlers;
}

Result<> DaemonCluster::Listen() {
  const auto linked = [this, alive = std::weak_ptr<int>(alive_)](std::shared_ptr<PeerLink> link) {
    if (!alive.expired() && clients_) clients_->AddLink(std::move(link));
  };
  FFDC_ASSIGN(server_, PeerServer::Start({settings_.peer.listen, tls_}, loop_, dispatch_, linked));
  return {};
}

// What this node knew of the others before: good until the DB says more.
void DaemonCluster::LoadCopy() {
  const auto content = MemFile();
  v1::ClusterCopy copy;
  std::string problem;
  if (!content) {
    problem = content.error().message;
  } else {
    const WorkerReport report =
        launcher_.RunToEnd({"cluster.load", CopyPath(settings_), {content->get()}, kCopyDeadline});
    if (report.outcome != WorkerOutcome::kOk) {
      problem = report.error;
    } else if (const auto read = ReadMessage(content->get(), &copy); !read) {
      problem = read.error().message;
    }
  }
  if (!problem.empty()) {
    copy_problem_ = "cannot read this node's copy of the cluster: " + problem;
    spdlog::error("{}", copy_problem_);
  }
  membership_.UseCopy(copy);
  copy_dirty_ = false;
  TellLifeCycle();
}

void DaemonCluster::SaveCopy() {
  if (!copy_dirty_ || copy_busy_) return;
  v1::ClusterCopyArgs args;
  args.set_path(CopyPath(settings_));
  *args.mutable_copy() = membership_.Copy();
  const auto file = MemFile(args);
  if (!file) return;  // tried again in a second
  copy_dirty_ = false;
  copy_busy_ = true;
  launcher_.Submit({"cluster.save", {}, {file->get()}, kCopyDeadline},
                   [this, alive = std::weak_ptr<int>(alive_)](const WorkerReport& report) {
                     if (alive.expired()) return;
                     // One that hangs is not followed by another: the next change tries again.
                     copy_busy_ = false;
                     const bool saved = report.outcome == WorkerOutcome::kOk;
                     copy_problem_ =
                         saved ? "" : "cannot write this node's copy of the cluster: " + report.error;
                   });
}

Result<> DaemonCluster::StartDb() {
  DbCallbacks callbacks;
  callbacks.snapshot = [this](const DbContent& content) {
    if (left_) return;
    db_copies_.clear();
    deleted_.clear();
    pins_.clear();
    tokens_.Clear();
    membership_.Snapshot(content);
    life_cycle_.OnDb(true, "", SystemClock().MonotonicNs());
    for (const auto& [key, value] : content) OnDbEntry(key, value);
    Register();
    TellLifeCycle();
    if (!clustered()) return;
    spdlog::info("cluster DB: {} members, primary {}", membership_.members().size(),
                 membership_.primary().empty() ? "none yet" : membership_.primary());
  };
  callbacks.changed = [this](const std::string& key, const std::optional<std::string>& value) {
    if (left_) return;
    membership_.Changed(key, value);
    OnDbEntry(key, value);
    if (!key.starts_with(kIncidents) && !key.starts_with(Membership::kDeleted) &&
        !key.starts_with(Membership::kPins))
      TellLifeCycle();
  };
  FFDC_ASSIGN(
      db_, OpenClusterDb({settings_.cluster.db, settings_.node.cluster, tls_.ca, tls_.certificate, tls_.key},
                         loop_, std::move(callbacks)));
  db_->Hold(Membership::AliveKey(self()), self());
  db_->Campaign(Membership::kPrimaryKey, self());
  db_->Start();
  return {};
}

void DaemonCluster::Register() {
  if (!clustered() || leaving_) return;
  if (const v1::Member* known = membership_.Find(self())) *own_.mutable_joined_at() = known->joined_at();
  db_->Put(Membership::MemberKey(self()), own_.SerializeAsString());
}

void DaemonCluster::MembersChanged() {
  copy_dirty_ = true;
  if (!clients_) return;
  std::map<std::string, std::string> addresses;
  std::set<std::string> names{self()};
  for (const auto& [node, member] : membership_.members()) {
    names.insert(node);
    if (node != self() && !member.stopped()) addresses[node] = member.address();
  }
  std::erase_if(peers_, [&](const auto& peer) { return !addresses.contains(peer.first); });
  for (const auto& [node, address] : addresses) peers_.try_emplace(node);
  clients_->SetPeers(addresses);
  if (server_) server_->SetMembers(std::move(names));
}

std::vector<Endpoint> DaemonCluster::Endpoints() const {
  if (!clustered()) return {};
  const std::string& url = settings_.cluster.db;
  std::vector<Endpoint> endpoints =
      ParseEndpoints(std::string_view(url).substr(url.find("://") + 3)).value_or(std::vector<Endpoint>());
  for (Endpoint& server : endpoints) {
    server.source = "cluster DB";
    server.related_ids = {DbId()};
    server.role = EndpointRole::kDb;
  }
  const auto listens = ParseEndpoint(settings_.peer.listen);
  for (const auto& [node, member] : membership_.members()) {
    // One that is known to be gone is no news. A lease says something only while somebody can see it.
    const bool gone = member.stopped() || (db_ && db_->reachable() && !membership_.alive().contains(node));
    auto peer = ParseEndpoint(member.address());
    if (node == self() || gone || !peer) continue;
    peer->source = "peer " + node;
    peer->related_ids = {"node:" + node};
    peer->role = EndpointRole::kPeer;
    peer->opens_to_port = listens ? listens->port : 0;
    endpoints.push_back(std::move(*peer));
  }
  return endpoints;
}

std::vector<std::string> DaemonCluster::Peers() const {
  std::vector<std::string> nodes;
  for (const auto& [node, peer] : peers_) nodes.push_back(node);
  return nodes;
}

std::vector<std::string> DaemonCluster::PeersInScope(const v1::Event& event) const {
  std::vector<std::string> nodes;
  for (const auto& [node, peer] : peers_) {
    const v1::Member* member = membership_.Find(node);
    if (member == nullptr || InScope(*member, event)) nodes.push_back(node);
  }
  return nodes;
}

// Who captures for some kinds alone is told of the rest where it uses the same storage.
void DaemonCluster::UpdateSubjects() {
  const uint64_t now_ns = SystemClock().MonotonicNs();
  if (MatchesAny(settings_.alert.kinds, "*") || now_ns < subjects_due_ns_) return;
  subjects_due_ns_ = now_ns + kSubjectsEveryNs;
  v1::Member fresh = own_;
  fresh.clear_subjects();
  for (const std::string& subject : settings_.alert.subjects) fresh.add_subjects(subject);
  for (std::string& subject : hooks_.subjects()) {
    if (fresh.subjects_size() >= kMaxMemberSubjects) break;
    fresh.add_subjects(std::move(subject));
  }
  if (fresh.SerializeAsString() == own_.SerializeAsString()) return;
  own_ = std::move(fresh);
  Register();
}

std::vector<std::string> DaemonCluster::PeersWithStore() const {
  const std::string own_id = shipper_.store_status().id();
  std::vector<std::string> nodes;
  for (const auto& [node, peer] : peers_) {
    if (peer.answers && peer.store_reachable && (own_id.empty() || peer.store_id == own_id))
      nodes.push_back(node);
  }
  return nodes;
}

void DaemonCluster::OnStoredForPeer(const v1::Manifest& manifest, const std::string& problem) {
  if (handoff_) handoff_->OnStored(manifest, problem);
}

void DaemonCluster::TellLifeCycle() {
  if (!clustered() || leaving_) return;
  const uint64_t now_ns = SystemClock().MonotonicNs();
  life_cycle_.OnPrimary(membership_.primary() == self());
  life_cycle_.KeepOnly(membership_.members(), now_ns);
  for (const auto& [node, member] : membership_.members()) {
    life_cycle_.OnMember(node, membership_.alive().contains(node), member.stopped(), now_ns);
    if (life_cycle_.InDoubt(node)) PingPeer(node);
  }
}

void DaemonCluster::Tick() {
  if (!clustered() || leaving_) return;
  const uint64_t now_ns = SystemClock().MonotonicNs();
  life_cycle_.OnDb(db_->reachable(), db_->problem(), now_ns);
  PingPeers();
  const auto& members = membership_.members();
  const auto own = members.find(self());
  life_cycle_.Tick(static_cast<size_t>(std::distance(members.begin(), own)), now_ns);
  for (auto alert = alerts_.begin(); alert != alerts_.end();) {
    const bool over = now_ns > alert->second.until_ns;
    if (over) GiveUp(alert->second);
    alert = over ? alerts_.erase(alert) : std::next(alert);
  }
  SaveCopy();
  TrimDb();
  UpdateSubjects();
  const v1::StoreStatus store = shipper_.store_status();
  LookAtCertificate(now_ns);
  dispatch_->SetStore(store.reachable() && !store.lost(), store.id());
  handoff_->Tick();
  if (!ca_key_.empty() && db_->reachable()) tokens_.Trim(*db_, SystemClock().RealtimeNs());
}

// --- pings -----------------------------------------------------------------

void DaemonCluster::PingPeers() {
  const uint64_t now_ns = SystemClock().MonotonicNs();
  // Is it the DB that is gone, or is this node cut off from everybody? (LifeCycle::CutOff)
  const bool ask_all = db_was_reachable_ && !db_->reachable();
  db_was_reachable_ = db_->reachable();
  size_t position = 0;
  for (auto& [node, peer] : peers_) {
    ++position;
    if (now_ns < peer.next_ping_ns && !ask_all) continue;
    const size_t a_second = peer.answers ? kPingsASecond : kPingsOfSilentASecond;
    const uint64_t interval_s = std::min<uint64_t>(1 + peers_.size() / a_second, kMaxPingIntervalS);
    // Those that are asked together now are not the next time: a burst is what an alert would wait for.
    const bool takes_turn = peer.ping_interval_s == interval_s && !ask_all;
    peer.ping_interval_s = interval_s;
    const uint64_t wait_s = takes_turn ? interval_s : 1 + position % interval_s;
    // A little early: ticks come a second apart, more or less.
    peer.next_ping_ns = now_ns + wait_s * kNsPerSecond - kNsPerSecond / 2;
    PingPeer(node);
  }
}

void DaemonCluster::PingPeer(const std::string& node) {
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.ping_in_flight) return;
  peer->second.ping_in_flight = true;
  clients_->Ping(node, [this, node](const Result<v1::PingReply>& reply) { OnPing(node, reply); });
}

void DaemonCluster::OnPing(const std::string& node, const Result<v1::PingReply>& reply) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  PeerState& peer = found->second;
  peer.ping_in_flight = false;
  if (peer.answers && !reply) peer.next_ping_ns = 0;  // it is asked more often from now on
  peer.answers = reply.has_value();
  peer.error = reply ? "" : reply.error().message;
  peer.store_reachable = reply && reply->store_reachable();
  if (reply) {
    peer.version = reply->version();
    peer.store_id = reply->store_id();
  }
  life_cycle_.OnPing(node, peer.answers, peer.error, SystemClock().MonotonicNs());
  if (peer.answers) RetryFor(node);
}

// --- conditions ------------------------------------------------------------

void DaemonCluster::OnCondition(const ClusterCondition& condition) {
  const std::string key = condition.kind + "|" + condition.node;
  const ClockMoment now = SystemClock().ReadTogether();
  const auto known = conditions_.find(key);
  if (condition.ended) {
    if (known == conditions_.end()) return;
    v1::Event event = std::move(known->second);
    conditions_.erase(known);
    event.set_last_mono_ns(now.monotonic_ns);
    *event.mutable_last_at() = TimeUtil::NanosecondsToTimestamp(now.realtime_ns);
    if (event.kind() == "db.lost") {
      v1::Event restored = event;
      restored.set_id(ids_.Next());
      restored.set_kind("db.restored");
      restored.set_severity(v1::INFO);
      restored.set_first_mono_ns(now.monotonic_ns);
      *restored.mutable_first_at() = event.last_at();
      restored.set_summary(condition.summary);
      hooks_.event(restored, false);
      hooks_.event(restored, true);
    }
    return hooks_.event(event, true);
  }
  const bool about_db = condition.node.empty();
  v1::Event event;
  event.set_id(ids_.Next());
  event.set_kind(condition.kind);
  event.set_domain(DomainOf(condition.kind));
  event.set_severity(IsMoment(condition.kind) ? v1::INFO : v1::CRITICAL);
  event.set_node(self());
  event.mutable_subject()->set_type(about_db ? "cluster_db" : "node");
  event.mutable_subject()->set_id(about_db ? DbId() : "node:" + condition.node);
  event.mutable_subject()->set_name(about_db ? settings_.cluster.db : condition.node);
  event.set_first_mono_ns(condition.since_mono_ns);
  event.set_last_mono_ns(now.monotonic_ns);
  event.set_detected_mono_ns(now.monotonic_ns);
  *event.mutable_first_at() = TimeUtil::NanosecondsToTimestamp(now.WallNs(condition.since_mono_ns));
  *event.mutable_last_at() = TimeUtil::NanosecondsToTimestamp(now.realtime_ns);
  event.set_count(1);
  event.set_summary(condition.summary);
  // What these two follow from: a link that is down, and of a node that is cut off its db.lost.
  if (condition.kind == "db.lost" || condition.kind == "peer.unreachable")
    for (std::string& link : hooks_.links_to(event.subject().id())) event.add_below_ids(std::move(link));
  if (condition.cut_off) event.add_below_ids(DbId());
  *event.mutable_related_ids() = event.below_ids();
  if (!IsMoment(condition.kind)) conditions_[key] = event;
  hooks_.event(event, false);
  if (IsMoment(condition.kind)) hooks_.event(event, true);
}

// --- what the DB has of incidents ------------------------------------------

void DaemonCluster::OnDbEntry(const std::string& key, const std::optional<std::string>& value) {
  if (key.starts_with(Membership::kDeleted))
    return OnDeletedEntry(key.substr(std::string_view(Membership::kDeleted).size()), value.has_value());
  if (key.starts_with(Membership::kPins))
    return OnPinEntry(key.substr(std::string_view(Membership::kPins).size()), value);
  if (key.starts_with(JoinTokens::kPrefix)) return tokens_.OnEntry(key, value);
  if (!key.starts_with(kIncidents)) return;
  const std::string rest = key.substr(kIncidents.size());
  const size_t captures = rest.find(kCaptures);
  const std::string id = rest.substr(0, captures);
  if (!IsUuid(id)) return;
  if (captures == std::string::npos) {
    v1::Incident incident;
    if (!value) {
      db_copies_.erase(id);
    } else if (incident.ParseFromString(*value) && incident.id() == id && !incident.origin_node().empty()) {
      db_copies_[id][incident.origin_node()] = incident;
      CaptureIfMissed(incident);
      if (incident.state() == v1::CLOSED && incident.origin_node() != self()) incidents_.OriginClosed(id);
    }
    return;
  }
  const std::string node = rest.substr(captures + kCaptures.size());
  v1::Capture capture;
  if (!value || !capture.ParseFromString(*value) || capture.node() != node) return;
  // Where it says more than the origin heard; the origin's own copy has its own capture.
  incidents_.PeerCapture(id, capture);
  v1::Incident& copy = db_copies_[id][node];
  if (copy.origin_node() == node) return;
  copy.set_id(id);
  copy.clear_captures();
  *copy.add_captures() = capture;
}

void DaemonCluster::OnDeletedEntry(const std::string& id, bool there) {
  if (!IsUuid(id)) return;
  if (!there) {
    deleted_.erase(id);
  } else if (deleted_.insert(id).second) {
    ForgetAlerts(id);
    hooks_.deleted(id);
  }
}

// The DB is small by design: the primary lets the oldest incidents go. The store keeps them.
void DaemonCluster::TrimDb() {
  if (membership_.primary() != self() || !db_->reachable() || db_->pending() != 0) return;
  size_t over = db_copies_.size() > kMaxDbIncidents ? db_copies_.size() - kMaxDbIncidents : 0;
  for (auto copy = db_copies_.begin(); over != 0 && copy != db_copies_.end(); ++copy, --over)
    DeleteFromDb(copy->first, copy->second);
  while (deleted_.size() > kMaxDbDeleted) {
    db_->Delete(Membership::DeletedKey(*deleted_.begin()));
    deleted_.erase(deleted_.begin());
  }
  while (pins_.size() > kMaxDbPins) {
    db_->Delete(Membership::PinKey(pins_.begin()->first));
    pins_.erase(pins_.begin());
  }
}

void DaemonCluster::DeleteFromDb(const std::string& id, const std::map<std::string, v1::Incident>& copies) {
  for (const auto& [node, copy] : copies) db_->Delete(Membership::CaptureKey(id, node));
  db_->Delete(Membership::IncidentKey(id));
}

void DaemonCluster::ForgetAlerts(const std::string& id) {
  alerts_.erase(id);
  reports_.erase(id);
  dirty_incidents_.erase(id);
}

void DaemonCluster::OnIncidentDeleted(const std::string& id) {
  ForgetAlerts(id);
  if (clustered()) {
    deleted_.insert(id);
    db_->Put(Membership::DeletedKey(id), self());
    if (pins_.erase(id) != 0) db_->Delete(Membership::PinKey(id));
  }
  const auto copies = db_copies_.find(id);
  if (copies != db_copies_.end()) DeleteFromDb(id, copies->second);
}

void DaemonCluster::Leave(const std::function<void()>& done) {
  if (!clustered()) return done();
  if (leaving_) return WaitWritten(done);
  leaving_ = true;
  own_.set_stopped(true);
  db_->Put(Membership::MemberKey(self()), own_.SerializeAsString());
  WaitWritten(done);
}

void DaemonCluster::WaitWritten(const std::function<void()>& done) {
  WaitUntil([this] { return !db_->reachable() || db_->pending() == 0; }, kLeaveStep, kLeaveSteps,
            [this, done] {
              db_->Release();
              done();
            });
}

void DaemonCluster::WaitUntil(const std::function<bool()>& is_so, std::chrono::milliseconds step, int steps,
                              const std::function<void()>& then) {
  if (is_so() || steps == 0) return then();
  loop_.After(step, [this, is_so, step, steps, then, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) WaitUntil(is_so, step, steps - 1, then);
  });
}

}  // namespace ffdc
