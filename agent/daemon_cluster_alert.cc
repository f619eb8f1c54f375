// SPDX-License-Identifier: Apache-2.0
// Alerts out and in, and what becomes of the captures they start.
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/event_detail.h"
#include "daemon_cluster.h"
#include "incident/grouping.h"
#include "peer/alert_plan.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxAlerts = 256;
// A node that comes back later has nothing left of the time of the failure.
constexpr uint64_t kAlertTriedForNs = 600 * static_cast<uint64_t>(kNsPerSecond);
constexpr uint32_t kMaxRemoteAMinute = 60;
constexpr uint64_t kMinuteNs = 60 * static_cast<uint64_t>(kNsPerSecond);
constexpr std::chrono::milliseconds kFlushDelay{100};
constexpr std::chrono::milliseconds kNoteDelay{20};
// Nodes may be virtual machines on one host: first all of them freeze, then they collect.
constexpr std::chrono::milliseconds kCollectDelayAPeer{2};
constexpr std::chrono::milliseconds kMaxCollectDelay{200};
// Two hops, and the reports of those at their end.
constexpr std::chrono::nanoseconds kForwardPatience = 3 * kAlertDeadline;
constexpr size_t kMaxReports = 1024;
constexpr const char* kByDb = "cluster DB";

// Ours, of a moment on another node's wall clock.
uint64_t OurMonoNs(const google::protobuf::Timestamp& theirs, int64_t offset_ns, const ClockMoment& now) {
  const int64_t before_ns = now.realtime_ns - (TimeUtil::TimestampToNanoseconds(theirs) - offset_ns);
  // In the future it cannot be: the clocks are no better known than that.
  if (before_ns <= 0) return now.monotonic_ns;
  return now.monotonic_ns - std::min(static_cast<uint64_t>(before_ns), now.monotonic_ns);
}

v1::Event OfOurClock(v1::Event event, int64_t offset_ns, const ClockMoment& now) {
  event.set_first_mono_ns(OurMonoNs(event.first_at(), offset_ns, now));
  event.set_last_mono_ns(OurMonoNs(event.last_at(), offset_ns, now));
  event.clear_detected_mono_ns();
  for (v1::FailedIo& io : *event.mutable_evidence()) io.clear_time_mono_ns();
  return event;
}

// What fits a small DB: no single I/Os and waiting tasks.
v1::Incident ForDb(const v1::Incident& incident) {
  v1::Incident small = incident;
  const int kept = std::min(small.events_size(), 8);
  small.mutable_events()->DeleteSubrange(kept, small.events_size() - kept);
  small.set_events_left_out(incident.events_left_out() +
                            static_cast<uint64_t>(incident.events_size() - kept));
  DropDetail(small);
  return small;
}

const v1::Capture* CaptureOf(const v1::Incident& incident, const std::string& node) {
  for (const v1::Capture& capture : incident.captures()) {
    if (capture.node() == node) return &capture;
  }
  return nullptr;
}

}  // namespace

// --- out -------------------------------------------------------------------

void DaemonCluster::Alert(const v1::Incident& incident, const v1::Event& trigger) {
  if (!IsRequested(trigger)) Alert(incident, trigger, PeersInScope(trigger));
}

void DaemonCluster::Alert(const v1::Incident& incident, const v1::Event& trigger,
                          const std::vector<std::string>& nodes) {
  if (nodes.empty()) return;
  if (alerts_.size() >= kMaxAlerts) {
    GiveUp(alerts_.begin()->second);
    alerts_.erase(alerts_.begin());
  }
  PendingAlert& alert = alerts_[incident.id()];
  alert.until_ns = SystemClock().MonotonicNs() + kAlertTriedForNs;
  alert.missing.insert(nodes.begin(), nodes.end());
  v1::AlertRequest& request = alert.request;
  request.set_cluster(settings_.node.cluster);
  request.set_incident_id(incident.id());
  request.set_origin_node(self());
  request.set_repeat(incident.repeat());
  request.set_reason(incident.reason());
  *request.mutable_trigger() = trigger;
  const AlertPlan plan = PlanAlert(nodes, settings_.peer.direct_alerts_max, [this](const std::string& node) {
    return peers_.contains(node) && peers_.at(node).answers;
  });
  for (const auto& [node, others] : plan) SendAlert(incident.id(), node, others);
  if (plan.size() < nodes.size()) {
    alert.adopt_ns = SystemClock().MonotonicNs() + static_cast<uint64_t>(kForwardPatience.count());
    loop_.After(kForwardPatience, [this, id = incident.id(), alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) AdoptForwarded(id);
    });
  }
  incidents_.Expect(incident.id(), nodes);
}

void DaemonCluster::SendAlert(const std::string& id, const std::string& node,
                              const std::vector<std::string>& forward_to) {
  PendingAlert& alert = alerts_.at(id);
  if (alert.in_flight.contains(node)) return;
  if (const auto peer = peers_.find(node); peer != peers_.end()) {
    // Many that die at once, and an alert of each to each, would be a million calls: one that does not
    // answer is tried with one alert at a time, and one a second. RetryFor() sends the others.
    const bool just_failed =
        SystemClock().MonotonicNs() < peer->second.alert_failed_ns + static_cast<uint64_t>(kNsPerSecond);
    if (!peer->second.answers && (peer->second.alerts_in_flight > 0 || just_failed)) {
      for (const std::string& other : forward_to) SendAlert(id, other);
      return NoteUnreached(id, node, "it does not answer; it is alerted when it does");
    }
    ++peer->second.alerts_in_flight;
  }
  alert.in_flight.insert(node);
  ++alerts_sent_;
  const auto done = [this, id, node, forward_to](const Result<v1::AlertReply>& reply) {
    OnAlertAnswer(id, node, forward_to, reply);
  };
  if (forward_to.empty()) return clients_->Alert(node, alert.request, done);
  v1::AlertRequest request = alert.request;
  for (const std::string& other : forward_to) request.add_forward_to(other);
  clients_->Alert(node, request, done);
}

void DaemonCluster::OnAlertAnswer(const std::string& id, const std::string& node,
                                  const std::vector<std::string>& forward_to,
                                  const Result<v1::AlertReply>& reply) {
  const auto peer = peers_.find(node);
  if (peer != peers_.end() && peer->second.alerts_in_flight > 0) --peer->second.alerts_in_flight;
  const auto pending = alerts_.find(id);
  if (pending != alerts_.end()) {
    pending->second.in_flight.erase(node);
    if (reply) pending->second.missing.erase(node);
    // Whom it was to alert has nobody else now.
    for (const std::string& other : forward_to) {
      if (!reply && pending->second.missing.contains(other)) SendAlert(id, other);
    }
    if (pending->second.missing.empty()) alerts_.erase(pending);
  }
  if (!reply) {
    if (peer != peers_.end()) peer->second.alert_failed_ns = SystemClock().MonotonicNs();
    spdlog::warn("incident {}: node {} is not alerted: {}", id, node, reply.error().message);
    return NoteUnreached(id, node, reply.error().message);
  }
  if (peer != peers_.end() && !peer->second.answers)
    PingPeer(node);  // it does again: what else it missed is told
  if (!reply->merged_into().empty()) {
    if (const auto noted = noted_captures_.find(id); noted != noted_captures_.end())
      std::erase_if(noted->second, [&](const v1::Capture& known) { return known.node() == node; });
    return incidents_.NotExpected(id, node);
  }
  v1::Capture capture;
  capture.set_node(node);
  capture.set_state(v1::COLLECTING);
  *capture.mutable_started_at() = TimeUtil::NanosecondsToTimestamp(SystemClock().RealtimeNs());
  NoteCapture(id, capture);
}

void DaemonCluster::NoteUnreached(const std::string& id, const std::string& node, const std::string& why) {
  v1::Capture capture;
  capture.set_node(node);
  capture.set_state(v1::UNREACHED);
  capture.set_error(why);
  *capture.mutable_started_at() = TimeUtil::NanosecondsToTimestamp(SystemClock().RealtimeNs());
  NoteCapture(id, capture);
}

// In a large cluster many answer at once, and each change of an incident costs its whole size.
void DaemonCluster::NoteCapture(const std::string& id, const v1::Capture& capture) {
  std::vector<v1::Capture>& noted = noted_captures_[id];
  noted.push_back(capture);
  if (noted.size() > 1) return;
  loop_.After(kNoteDelay, [this, id, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    const auto entry = noted_captures_.extract(id);
    if (!entry.empty()) incidents_.PeerCaptures(id, entry.mapped());
  });
}

// Those that have reported by now were reached; the others are asked, and may say that they know.
void DaemonCluster::AdoptForwarded(const std::string& id) {
  const auto pending = alerts_.find(id);
  if (pending == alerts_.end()) return;
  const std::set<std::string> missing = pending->second.missing;
  for (const std::string& node : missing) SendAlert(id, node);
}

// It answers: what it has missed is told now.
void DaemonCluster::RetryFor(const std::string& node) {
  std::vector<std::string> missed;
  const uint64_t now_ns = SystemClock().MonotonicNs();
  for (const auto& [id, alert] : alerts_) {
    if (now_ns >= alert.adopt_ns && alert.missing.contains(node)) missed.push_back(id);
  }
  for (const std::string& id : missed) SendAlert(id, node);
  for (const auto& [id, report] : reports_) {
    const v1::Incident* incident = incidents_.Get(id);
    if (incident != nullptr && incident->origin_node() == node && report.dirty) {
      dirty_incidents_.insert(id);
      FlushSoon();
    }
  }
}

void DaemonCluster::GiveUp(const PendingAlert& alert) {
  alerts_missed_ += alert.missing.size();
  for (const std::string& node : alert.missing) {
    spdlog::error("incident {}: the alert to node {} is given up", alert.request.incident_id(), node);
  }
}

// --- in --------------------------------------------------------------------

void DaemonCluster::ForwardAlert(const v1::AlertRequest& request) {
  if (request.forward_to().empty()) return;
  v1::AlertRequest forwarded = request;
  forwarded.clear_forward_to();
  forwarded.set_relayed_by(self());
  // Whom this does not reach the origin alerts itself.
  for (const std::string& node : request.forward_to())
    clients_->Alert(node, forwarded, [](const Result<v1::AlertReply>&) {});
}

void DaemonCluster::OnAlert(const std::string& peer, const v1::AlertRequest& request,
                            const PeerAnswer<v1::AlertReply>& answer) {
  ++alerts_received_;
  if (request.origin_node() != peer && request.relayed_by() != peer)
    return answer(Fail("an alert of node '" + request.origin_node() + "' from node '" + peer + "'", EINVAL));
  if (request.origin_node() == self() || incidents_.Get(request.incident_id()) != nullptr) {
    ++alerts_duplicate_;
    v1::AlertReply reply;
    reply.set_duplicate(true);
    answer(reply);
    return ForwardAlert(request);
  }
  Capture(request, request.relayed_by(), [this, &request, &answer](const Result<v1::AlertReply>& reply) {
    answer(reply);
    if (reply) ForwardAlert(request);
  });
}

// The peers' network may be cut while the DB is not: what it says of an alert that did not arrive is one.
void DaemonCluster::CaptureIfMissed(const v1::Incident& incident) {
  if (incident.origin_node() == self() || incidents_.Get(incident.id()) != nullptr || leaving_) return;
  const v1::Capture* own = CaptureOf(incident, self());
  const int64_t age_ns = SystemClock().RealtimeNs() - UuidWallNs(incident.id());
  const bool late = age_ns > static_cast<int64_t>(kAlertTriedForNs);
  if (own == nullptr || own->state() != v1::UNREACHED || late || incident.events().empty()) return;
  v1::AlertRequest request;
  request.set_incident_id(incident.id());
  request.set_origin_node(incident.origin_node());
  request.set_repeat(incident.repeat());
  request.set_reason(incident.reason());
  *request.mutable_trigger() = incident.events(0);
  Capture(request, kByDb, [](const Result<v1::AlertReply>&) {});
}

bool DaemonCluster::RemoteAllowed(uint64_t now_ns) {
  if (now_ns > remote_window_ns_ + kMinuteNs) {
    remote_window_ns_ = now_ns;
    remote_in_window_ = 0;
  }
  return ++remote_in_window_ <= kMaxRemoteAMinute;
}

void DaemonCluster::Capture(const v1::AlertRequest& request, const std::string& relayed_by,
                            const PeerAnswer<v1::AlertReply>& answer) {
  const ClockMoment now = SystemClock().ReadTogether();
  if (!RemoteAllowed(now.monotonic_ns))
    return answer(
        Fail("more than " + std::to_string(kMaxRemoteAMinute) + " alerts came within a minute", EBUSY));
  const auto clock = clients_->ClockOf(request.origin_node());
  const v1::Event trigger = OfOurClock(request.trigger(), clock ? clock->offset_ns : 0, now);
  const std::string same = incidents_.SameFailure(trigger);
  if (!same.empty() && same < request.incident_id()) {
    ++alerts_duplicate_;
    v1::AlertReply reply;
    reply.set_merged_into(same);
    return answer(reply);
  }
  uint64_t frozen_mono_ns = 0;
  const ClusterHooks::Collect collect = hooks_.freeze(&frozen_mono_ns);
  v1::AlertReply reply;
  if (frozen_mono_ns > now.monotonic_ns) reply.set_frozen_after_ns(frozen_mono_ns - now.monotonic_ns);
  answer(reply);

  v1::Incident seed;
  seed.set_id(request.incident_id());
  seed.set_origin_node(request.origin_node());
  seed.set_repeat(request.repeat());
  seed.set_reason(request.reason());
  *seed.add_events() = trigger;
  v1::Manifest head;
  head.set_origin_node(request.origin_node());
  head.set_failure_mono_ns(seed.events(0).first_mono_ns());
  head.set_trigger_delay_ns(static_cast<int64_t>(frozen_mono_ns - head.failure_mono_ns()));
  head.set_relayed_by(relayed_by);
  if (clock) {
    head.mutable_clock_offset()->set_offset_ns(-clock->offset_ns);
    head.mutable_clock_offset()->set_uncertainty_ns(clock->uncertainty_ns);
    head.mutable_clock_offset()->set_age_ns(clock->age_ns);
  }
  if (!incidents_.OpenRemote(seed)) return;
  spdlog::warn("incident {} of node {}: {}: captured here too", seed.id(), seed.origin_node(),
               seed.events(0).summary());
  if (same.empty() || incidents_.Get(same)->origin_node() != self()) {
    const auto delay = std::min(kCollectDelayAPeer * static_cast<int64_t>(peers_.size()), kMaxCollectDelay);
    loop_.After(delay, [this, id = seed.id(), collect, head, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      if (const v1::Incident* incident = incidents_.Get(id)) collect(*incident, head);
    });
    return;
  }
  collect(*incidents_.Get(seed.id()), head);
  spdlog::warn("incident {} is the same failure as incident {} of node {}: it goes on there", same, seed.id(),
               seed.origin_node());
  incidents_.MergeInto(same, seed.id());
}

// --- reports ---------------------------------------------------------------

void DaemonCluster::OnReport(const v1::CaptureReport& report,
                             const PeerAnswer<v1::CaptureReportReply>& answer) {
  v1::CaptureReportReply reply;
  reply.set_known(incidents_.Get(report.incident_id()) != nullptr);
  if (reply.known()) {
    NoteCapture(report.incident_id(), report.capture());
    const auto alert = alerts_.find(report.incident_id());
    if (alert != alerts_.end()) {
      alert->second.missing.erase(report.capture().node());
      if (alert->second.missing.empty()) alerts_.erase(alert);
    }
    google::protobuf::RepeatedPtrField<v1::Event> events;
    const auto clock = clients_->ClockOf(report.capture().node());
    const ClockMoment now = SystemClock().ReadTogether();
    for (const v1::Event& event : report.events())
      *events.Add() = OfOurClock(event, clock ? clock->offset_ns : 0, now);
    incidents_.PeerEvents(report.incident_id(), events);
  }
  answer(reply);
}

void DaemonCluster::OnIncidentChanged(const v1::Incident& incident) {
  if (!clustered() || leaving_) return;
  dirty_incidents_.insert(incident.id());
  FlushSoon();
}

void DaemonCluster::FlushSoon() {
  if (flush_waits_) return;
  flush_waits_ = true;
  loop_.After(kFlushDelay, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    flush_waits_ = false;
    Flush();
  });
}

void DaemonCluster::Flush() {
  const std::set<std::string> dirty = std::move(dirty_incidents_);
  dirty_incidents_.clear();
  for (const std::string& id : dirty) {
    const v1::Incident* incident = incidents_.Get(id);
    if (incident == nullptr) continue;
    const v1::Capture* own = CaptureOf(*incident, self());
    Report& report = reports_[id];
    report.dirty = true;
    if (own != nullptr && report.written != own->SerializeAsString()) {
      report.written = own->SerializeAsString();
      db_->Put(Membership::CaptureKey(id, self()), report.written);
    }
    if (incident->origin_node() == self()) {
      db_->Put(Membership::IncidentKey(id), ForDb(*incident).SerializeAsString());
      report.dirty = false;
    } else if (own != nullptr) {
      SendReport(*incident, report);
    }
  }
  // Ids sort by time: the oldest goes, whether its origin heard of it or not; the DB and the store have it.
  while (reports_.size() > kMaxReports) reports_.erase(reports_.begin());
}

void DaemonCluster::SendReport(const v1::Incident& incident, Report& report) {
  v1::CaptureReport request;
  request.set_cluster(settings_.node.cluster);
  request.set_incident_id(incident.id());
  *request.mutable_capture() = *CaptureOf(incident, self());
  for (const v1::Event& event : incident.events()) {
    if (event.node() == self()) *request.add_events() = event;
  }
  const std::string told = request.SerializeAsString();
  if (told == report.told) {
    report.dirty = false;
    return;
  }
  if (report.in_flight) return;
  report.in_flight = true;
  const std::string& id = incident.id();
  clients_->Report(incident.origin_node(), request,
                   [this, id, told](const Result<v1::CaptureReportReply>& reply) {
                     const auto found = reports_.find(id);
                     if (found == reports_.end()) return;
                     found->second.in_flight = false;
                     if (!reply) return;  // again when the origin answers a ping
                     found->second.told = told;
                     dirty_incidents_.insert(id);  // it may have changed meanwhile
                     FlushSoon();
                   });
}

}  // namespace ffdc
