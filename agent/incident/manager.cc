// SPDX-License-Identifier: Apache-2.0
#include "incident/manager.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cerrno>

#include "incident/completeness.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kMaxEvents = 64;
// What follows from a failure shows itself within so long after the failure's last sign, or is
// taken for a failure of its own, which is captured. The longest known: tasks are found hung
// after 120 s, and the watchdogs of the services that wait for them take some minutes.
constexpr std::chrono::minutes kFollowsWithin{10};

// Nodes that lose one array or one server notice within this of each other: the slowest detectors
// of lost storage differ by their polling, some seconds.
constexpr uint64_t kSameFailureNs = 10'000'000'000;

void MergeClients(v1::Incident& incident) {
  std::map<std::pair<std::string, std::string>, v1::Client> merged;
  for (const v1::Event& event : incident.events()) {
    for (const v1::Client& client : event.clients()) {
      v1::Client& sum = merged[{client.type(), client.cgroup()}];
      const uint64_t failures = sum.failures() + client.failures();
      sum = client;
      sum.set_failures(failures);
    }
  }
  incident.clear_clients();
  for (auto& [key, client] : merged) *incident.add_clients() = std::move(client);
}

// What an incident is follows from its events.
void Describe(v1::Incident& incident) {
  const v1::Event& cause = FirstCauseOf(incident.events());
  v1::FirstCause& first = *incident.mutable_first_cause();
  first.set_event_id(cause.id());
  first.set_kind(cause.kind());
  first.set_subject_id(cause.subject().id());
  first.set_subject_name(cause.subject().name());
  first.set_summary(cause.summary());
  incident.set_kind(cause.kind());
  incident.set_domain(cause.domain());
  *incident.mutable_subject() = cause.subject();
  incident.set_summary(cause.summary());
  MergeClients(incident);
}

bool SameCondition(const v1::Event& a, const v1::Event& b) {
  return a.kind() == b.kind() && a.subject().id() == b.subject().id() &&
         (a.node() == b.node() || IsClusterWide(a.subject().id()));
}

bool SameIdentities(const v1::Event& a, const v1::Event& b) {
  return a.subject().id() == b.subject().id() && std::equal(a.related_ids().begin(), a.related_ids().end(),
                                                            b.related_ids().begin(), b.related_ids().end());
}

// A place that is full stays so for weeks, and is looked at all the time: no sign of anything new.
uint64_t LastSignNs(const v1::Event& event) {
  return event.kind() == "resource.threshold" ? event.first_mono_ns() : event.last_mono_ns();
}

}  // namespace

IncidentManager::IncidentManager(IncidentOptions options, const Clock& clock, UuidGenerator& ids,
                                 IncidentCallbacks callbacks)
    : options_(std::move(options)),
      clock_(clock),
      ids_(ids),
      callbacks_(std::move(callbacks)),
      subjects_(options_.node) {}

void IncidentManager::Load(std::vector<v1::Incident> incidents) {
  for (v1::Incident& incident : incidents) {
    if (incident.state() == v1::OPEN) {
      open_[incident.id()].quiet_since_ns = clock_.MonotonicNs();
      Index(incident);
    }
    // As indexes had it that knew of one node alone.
    if (incident.captures_size() == 1 && incident.captures(0).losses().empty())
      *incident.mutable_captures(0)->mutable_losses() = incident.completeness().losses();
    std::string id = incident.id();
    incidents_.insert_or_assign(std::move(id), std::move(incident));
  }
}

// The manifest's incident, made from it where the index lost it.
v1::Incident& IncidentManager::Known(const v1::Manifest& manifest) {
  const auto [found, lost] = incidents_.try_emplace(manifest.incident_id());
  v1::Incident& incident = found->second;
  if (!lost) return incident;
  const v1::Event& trigger = manifest.trigger();
  incident.set_id(manifest.incident_id());
  incident.set_severity(trigger.severity());
  incident.set_state(v1::CLOSED);
  *incident.mutable_opened_at() = trigger.first_at();
  *incident.mutable_last_event_at() = trigger.last_at();
  *incident.mutable_closed_at() = trigger.last_at();
  incident.set_cluster(manifest.cluster());
  incident.set_origin_node(manifest.origin_node().empty() ? manifest.node() : manifest.origin_node());
  *incident.add_events() = trigger;
  incident.set_repeat(manifest.repeat());
  Describe(incident);
  return incident;
}

void IncidentManager::Adopt(const v1::Manifest& manifest) {
  v1::Incident& incident = Known(manifest);
  if (Sealed(incident, manifest)) Changed(incident);
}

void IncidentManager::Index(const v1::Incident& incident) {
  for (const v1::Event& event : incident.events()) {
    subjects_.Add(incident.id(), event);
    by_event_[event.id()] = incident.id();
  }
}

void IncidentManager::Close(v1::Incident& incident) {
  for (const v1::Event& event : incident.events()) {
    subjects_.Take(incident.id(), event);
    by_event_.erase(event.id());
  }
  open_.erase(incident.id());
  incident.set_state(v1::CLOSED);
}

// Whether the event, which belongs to the incident, still follows from it. A new condition long
// after the last sign of it does not: a path that is lost while the other one has been away for
// days, a disk that fails while a filesystem has been full for weeks, must be captured.
bool IncidentManager::Accepts(const v1::Incident& incident, const v1::Event& event) const {
  uint64_t last_sign_ns = 0;
  for (const v1::Event& known : incident.events()) {
    if (SameCondition(known, event)) return true;
    last_sign_ns = std::max(last_sign_ns, LastSignNs(known));
  }
  const auto within = std::max<std::chrono::nanoseconds>(kFollowsWithin, options_.quiet_after);
  return event.first_mono_ns() <= last_sign_ns + static_cast<uint64_t>(within.count());
}

std::string IncidentManager::FindOpen(const v1::Event& event) const {
  if (const auto known = by_event_.find(event.id()); known != by_event_.end()) return known->second;
  const bool recovery = IsRecovery(event);
  return subjects_.Find(event, !recovery,
                        [&](const std::string& id) { return recovery || Accepts(incidents_.at(id), event); });
}

std::string IncidentManager::OnEvent(const v1::Event& event, bool ended) {
  const std::string found = FindOpen(event);
  const bool opened = found.empty();
  if (opened) {
    if (ended) return {};  // its incident was deleted by a person, or it is a recovery that has none
    if (IsRecovery(event)) {
      ++recoveries_alone_;
      return {};
    }
  }
  v1::Incident& incident = opened ? Open(event) : incidents_[found];
  Keep(incident, event, ended);
  OpenIncident& open = open_[incident.id()];
  if (ended) {
    open.active.erase(event.id());
  } else {
    open.active.insert(event.id());
  }
  open.quiet_since_ns = std::max(open.quiet_since_ns, event.last_mono_ns());
  if (event.last_at() > incident.last_event_at()) *incident.mutable_last_event_at() = event.last_at();
  incident.set_severity(std::max(incident.severity(), event.severity()));
  Describe(incident);
  if (opened) {
    SettleCompleteness(incident);
    const v1::Event trigger = incident.events(0);
    callbacks_.opened(incident, trigger);
  }
  Changed(incident);
  return incident.id();
}

// Takes the event, or what is new of it, into the incident's list.
void IncidentManager::Keep(v1::Incident& incident, const v1::Event& event, bool ended) {
  auto& events = *incident.mutable_events();
  auto kept =
      std::find_if(events.begin(), events.end(), [&](const v1::Event& e) { return e.id() == event.id(); });
  const bool is_new = by_event_.insert_or_assign(event.id(), incident.id()).second;
  if (kept != events.end()) {
    const bool same = SameIdentities(*kept, event);
    if (!same) subjects_.Take(incident.id(), *kept);
    *kept = event;
    if (!same) subjects_.Add(incident.id(), event);
  } else if (is_new && (events.size() < kMaxEvents || MakeRoom(incident))) {
    *events.Add() = event;
    kept = events.end() - 1;
    subjects_.Add(incident.id(), event);
  } else {
    if (is_new) incident.set_events_left_out(incident.events_left_out() + 1);
    if (ended) by_event_.erase(event.id());
    return;
  }
  kept->set_incident_id(incident.id());
  if (ended && kept->duration_ns() == 0 && kept->last_mono_ns() > kept->first_mono_ns())
    kept->set_duration_ns(kept->last_mono_ns() - kept->first_mono_ns());
}

// Lets go of the oldest event that is over and is neither the first one nor the first cause.
bool IncidentManager::MakeRoom(v1::Incident& incident) {
  const std::set<std::string>& active = open_[incident.id()].active;
  for (int i = 1; i < incident.events_size(); ++i) {
    const v1::Event& event = incident.events(i);
    if (active.contains(event.id()) || event.id() == incident.first_cause().event_id()) continue;
    subjects_.Take(incident.id(), event);
    by_event_.erase(event.id());
    incident.mutable_events()->DeleteSubrange(i, 1);
    incident.set_events_left_out(incident.events_left_out() + 1);
    return true;
  }
  return false;
}

v1::Incident& IncidentManager::Open(const v1::Event& event) {
  v1::Incident incident;
  incident.set_id(ids_.Next());
  *incident.mutable_opened_at() = event.first_at();
  incident.set_state(v1::OPEN);
  incident.set_cluster(options_.cluster);
  incident.set_origin_node(options_.node);
  incident.set_repeat(std::any_of(incidents_.begin(), incidents_.end(), [&](const auto& entry) {
    const v1::Incident& known = entry.second;
    return std::any_of(known.captures().begin(), known.captures().end(), Captured) &&
           std::any_of(known.events().begin(), known.events().end(),
                       [&](const v1::Event& former) { return SameCondition(former, event); });
  }));
  v1::Capture& capture = *incident.add_captures();
  capture.set_node(options_.node);
  capture.set_state(v1::COLLECTING);
  *capture.mutable_started_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  const std::string id = incident.id();
  open_[id].quiet_since_ns = event.last_mono_ns();
  return incidents_[id] = std::move(incident);
}

bool IncidentManager::OpenRemote(const v1::Incident& seed) {
  if (incidents_.contains(seed.id()) || seed.events().empty()) return false;
  v1::Incident& incident = incidents_[seed.id()] = seed;
  const v1::Event& trigger = incident.events(0);
  incident.set_cluster(options_.cluster);
  incident.set_severity(trigger.severity());
  *incident.mutable_opened_at() = trigger.first_at();
  *incident.mutable_last_event_at() = trigger.last_at();
  incident.mutable_events(0)->set_incident_id(incident.id());
  v1::Capture& capture = OwnCapture(incident);
  capture.set_state(v1::COLLECTING);
  *capture.mutable_started_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  Describe(incident);
  if (IsRequested(trigger)) {
    incident.set_state(v1::CLOSED);
    *incident.mutable_closed_at() = trigger.last_at();
  } else {
    incident.set_state(v1::OPEN);
    // Its end comes from its origin's events, which are not told here: it closes once it is quiet.
    open_[incident.id()].quiet_since_ns = clock_.MonotonicNs();
    Index(incident);
  }
  Changed(incident);
  return true;
}

std::string IncidentManager::SameFailure(const v1::Event& event) const {
  if (IsRecovery(event) || !IsClusterWide(event.subject().id())) return {};
  return subjects_.Find(event, false, [&](const std::string& id) {
    const auto& events = incidents_.at(id).events();
    return std::any_of(events.begin(), events.end(), [&](const v1::Event& known) {
      const uint64_t first_ns = std::min(known.first_mono_ns(), event.first_mono_ns());
      const uint64_t last_ns = std::max(known.first_mono_ns(), event.first_mono_ns());
      return SameCondition(known, event) && last_ns - first_ns <= kSameFailureNs;
    });
  });
}

void IncidentManager::MergeInto(const std::string& id, const std::string& older) {
  if (!open_.contains(id) || !open_.contains(older) || id == older) return;
  v1::Incident& incident = incidents_[id];
  const std::set<std::string> active = open_[id].active;
  Close(incident);
  *incident.mutable_closed_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  incident.set_merged_into(older);
  auto& captures = *incident.mutable_captures();
  captures.erase(std::remove_if(captures.begin(), captures.end(),
                                [&](const v1::Capture& capture) {
                                  return capture.node() != options_.node && !Captured(capture);
                                }),
                 captures.end());
  for (const v1::Event& event : incident.events()) {
    Keep(incidents_[older], event, !active.contains(event.id()));
    if (active.contains(event.id())) open_[older].active.insert(event.id());
  }
  Describe(incidents_[older]);
  Changed(incident);
  Changed(incidents_[older]);
}

void IncidentManager::NotExpected(const std::string& id, const std::string& node) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return;
  auto& captures = *found->second.mutable_captures();
  const auto capture = std::find_if(captures.begin(), captures.end(),
                                    [&](const v1::Capture& known) { return known.node() == node; });
  if (capture == captures.end() || Captured(*capture)) return;
  captures.erase(capture);
  Changed(found->second);
}

void IncidentManager::Expect(const std::string& id, const std::vector<std::string>& nodes) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end() || nodes.empty()) return;
  for (const std::string& node : nodes) {
    v1::Capture& capture = CaptureOf(found->second, node);
    if (capture.state() != v1::CAPTURE_STATE_UNSPECIFIED) continue;
    capture.set_state(v1::UNREACHED);
    capture.set_error("it has not answered yet");
  }
  Changed(found->second);
}

bool IncidentManager::PeerCaptures(const std::string& id, const std::vector<v1::Capture>& captures) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return false;
  bool changed = false;
  for (const v1::Capture& capture : captures) {
    if (capture.node() == options_.node) continue;
    v1::Capture& known = CaptureOf(found->second, capture.node());
    if (!IsNewer(capture, known) || capture.SerializeAsString() == known.SerializeAsString()) continue;
    known = capture;
    changed = true;
  }
  if (changed) Changed(found->second);
  return true;
}

void IncidentManager::PeerEvents(const std::string& id,
                                 const google::protobuf::RepeatedPtrField<v1::Event>& events) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return;
  v1::Incident& incident = found->second;
  for (const v1::Event& event : events) {
    auto known = std::find_if(incident.mutable_events()->begin(), incident.mutable_events()->end(),
                              [&](const v1::Event& e) { return e.id() == event.id(); });
    if (known != incident.mutable_events()->end()) {
      if (known->node() == event.node()) *known = event;
    } else if (incident.events_size() < kMaxEvents) {
      *incident.add_events() = event;
    } else {
      incident.set_events_left_out(incident.events_left_out() + 1);
    }
  }
  if (events.empty()) return;
  Describe(incident);
  Changed(incident);
}

const v1::Incident& IncidentManager::OpenManual(const std::string& reason) {
  v1::Event event;
  event.set_id(ids_.Next());
  event.set_kind("manual");
  event.set_domain(v1::REQUESTED);
  event.set_severity(v1::INFO);
  event.set_node(options_.node);
  event.mutable_subject()->set_type("node");
  // Not the node's name alone: two dumps at the same time are two incidents.
  event.mutable_subject()->set_id("dump:" + event.id());
  event.mutable_subject()->set_name(options_.node);
  event.set_first_mono_ns(clock_.MonotonicNs());
  event.set_last_mono_ns(event.first_mono_ns());
  *event.mutable_first_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  *event.mutable_last_at() = event.first_at();
  event.set_count(1);
  event.set_summary(reason.empty() ? "dump requested" : "dump requested: " + reason);
  v1::Incident& incident = incidents_[OnEvent(event, false)];
  incident.set_reason(reason);
  Close(incident);  // over by nature: nothing goes on that could become quiet
  *incident.mutable_closed_at() = event.last_at();
  Changed(incident);
  return incident;
}

void IncidentManager::Tick() {
  const uint64_t now = clock_.MonotonicNs();
  const auto quiet = static_cast<uint64_t>(options_.quiet_after.count());
  for (auto open = open_.begin(); open != open_.end();) {
    if (!open->second.active.empty() || now <= open->second.quiet_since_ns + quiet) {
      ++open;
      continue;
    }
    v1::Incident& incident = incidents_[open->first];
    ++open;
    End(incident);
  }
}

void IncidentManager::OriginClosed(const std::string& id) {
  const auto open = open_.find(id);
  if (open != open_.end() && open->second.active.empty()) End(incidents_[id]);
}

void IncidentManager::End(v1::Incident& incident) {
  Close(incident);
  *incident.mutable_closed_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  Changed(incident);
  callbacks_.closed(incident);
}

v1::Capture& IncidentManager::CaptureOf(v1::Incident& incident, const std::string& node) {
  for (v1::Capture& capture : *incident.mutable_captures()) {
    if (capture.node() == node) return capture;
  }
  v1::Capture& capture = *incident.add_captures();
  capture.set_node(node);
  return capture;
}

// False: nothing new, it is stored already.
bool IncidentManager::Sealed(v1::Incident& incident, const v1::Manifest& manifest) {
  v1::Capture& capture = OwnCapture(incident);
  if (capture.state() == v1::STORED) return false;
  capture.set_state(v1::SEALED);
  capture.set_bytes(manifest.archive_bytes());
  capture.set_sha256(manifest.archive_sha256());
  capture.set_where("spool");
  capture.clear_error();
  *capture.mutable_started_at() = manifest.started_at();
  *capture.mutable_sealed_at() = manifest.sealed_at();
  if (manifest.frozen_mono_ns() > manifest.failure_mono_ns())
    capture.set_frozen_after_ns(manifest.frozen_mono_ns() - manifest.failure_mono_ns());
  // By this node's wall clock, which may differ from that of the node where it failed.
  const int64_t offset_ns = manifest.clock_offset().offset_ns();
  capture.set_uncertainty_ns(manifest.clock_offset().uncertainty_ns());
  const int64_t sealed_after = TimeUtil::TimestampToNanoseconds(manifest.sealed_at()) - offset_ns -
                               TimeUtil::TimestampToNanoseconds(manifest.trigger().first_at());
  capture.set_sealed_after_ns(static_cast<uint64_t>(std::max<int64_t>(sealed_after, 0)));
  uint32_t ok = 0;
  for (const v1::CollectorResult& result : manifest.collectors()) ok += result.outcome() == v1::OK ? 1 : 0;
  capture.set_collectors_ok(ok);
  capture.set_collectors_failed(static_cast<uint32_t>(manifest.collectors_size()) - ok);
  *capture.mutable_losses() = manifest.losses();
  return true;
}

void IncidentManager::CaptureStored(const v1::Manifest& manifest, const std::string& where,
                                    const std::string& by) {
  v1::Incident& incident = Known(manifest);
  Sealed(incident, manifest);
  v1::Capture& capture = OwnCapture(incident);
  capture.set_state(v1::STORED);
  capture.set_where(where);
  capture.set_stored_by(by);
  capture.clear_error();
  *capture.mutable_stored_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  Changed(incident);
}

void IncidentManager::CaptureFailed(const std::string& id, const std::string& error) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return;
  v1::Capture& capture = OwnCapture(found->second);
  if (capture.state() == v1::STORED) return;  // a seal that was given up on ended by itself after all
  capture.set_state(v1::FAILED);
  capture.set_error(error);
  Changed(found->second);
}

void IncidentManager::CaptureDropped(const std::string& id, const std::string& reason) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return;
  v1::Capture& capture = OwnCapture(found->second);
  capture.set_state(v1::DROPPED);
  capture.set_error(reason);
  Changed(found->second);
}

Result<const v1::Incident*> IncidentManager::Find(const std::string& prefix) const {
  if (prefix.empty()) return Fail("no incident id given: see 'ffdcctl incident list'", EINVAL);
  const auto first = incidents_.lower_bound(prefix);
  if (first == incidents_.end() || !first->first.starts_with(prefix))
    return Fail("there is no incident " + prefix + ": see 'ffdcctl incident list'", ENOENT);
  const auto next = std::next(first);
  if (first->first != prefix && next != incidents_.end() && next->first.starts_with(prefix))
    return Fail("incident " + prefix + " is ambiguous: " + first->first + " and " + next->first +
                    " begin with it: give more characters",
                EINVAL);
  return &first->second;
}

const v1::Incident* IncidentManager::Get(const std::string& id) const {
  const auto found = incidents_.find(id);
  return found == incidents_.end() ? nullptr : &found->second;
}

std::vector<const v1::Incident*> IncidentManager::List(uint32_t limit, const std::string& state) const {
  std::vector<const v1::Incident*> list;
  for (auto entry = incidents_.rbegin(); entry != incidents_.rend(); ++entry) {
    if (limit != 0 && list.size() >= limit) break;
    if (state == "open" && entry->second.state() != v1::OPEN) continue;
    if (state == "closed" && entry->second.state() != v1::CLOSED) continue;
    list.push_back(&entry->second);
  }
  return list;
}

Result<const v1::Incident*> IncidentManager::Pin(const std::string& id, bool pinned) {
  FFDC_ASSIGN(const v1::Incident* found, Find(id));
  v1::Incident& incident = incidents_[found->id()];
  incident.set_pinned(pinned);
  Changed(incident);
  return found;
}

void IncidentManager::Forget(const std::string& id) {
  const auto found = incidents_.find(id);
  if (found == incidents_.end()) return;
  if (open_.contains(id)) Close(found->second);
  incidents_.erase(found);
}

std::vector<std::string> IncidentManager::KeepIds() const {
  std::vector<std::string> ids;
  for (const auto& [id, incident] : incidents_) {
    if (incident.pinned() || incident.state() == v1::OPEN) ids.push_back(id);
  }
  return ids;
}

void IncidentManager::Changed(v1::Incident& incident) {
  SettleCompleteness(incident);
  callbacks_.changed(incident);
}

}  // namespace ffdc
