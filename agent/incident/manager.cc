// SPDX-License-Identifier: Apache-2.0
#include "incident/manager.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cerrno>

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kMaxEvents = 64;

bool Captured(const v1::Capture& capture) {
  return capture.state() == v1::SEALED || capture.state() == v1::STORED;
}

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

// What an incident is by its first event.
v1::Incident FromEvent(const std::string& id, const v1::Event& event) {
  v1::Incident incident;
  incident.set_id(id);
  incident.set_kind(event.kind());
  incident.set_domain(event.domain());
  incident.set_severity(event.severity());
  *incident.mutable_opened_at() = event.first_at();
  *incident.mutable_subject() = event.subject();
  return incident;
}

std::string CaptureProblem(const v1::Capture& capture) {
  switch (capture.state()) {
    case v1::COLLECTING:
      return "still collecting";
    case v1::FAILED:
      return "failed: " + capture.error();
    case v1::DROPPED:
      return "dropped: " + capture.error();
    default:
      return {};
  }
}

}  // namespace

IncidentManager::IncidentManager(IncidentOptions options, const Clock& clock, UuidGenerator& ids,
                                 IncidentCallbacks callbacks)
    : options_(std::move(options)), clock_(clock), ids_(ids), callbacks_(std::move(callbacks)) {}

void IncidentManager::Load(std::vector<v1::Incident> incidents) {
  for (v1::Incident& incident : incidents) {
    if (incident.state() == v1::OPEN) open_[incident.id()].quiet_since_ns = clock_.MonotonicNs();
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
  incident = FromEvent(manifest.incident_id(), trigger);
  incident.set_state(v1::CLOSED);
  *incident.mutable_last_event_at() = trigger.last_at();
  *incident.mutable_closed_at() = trigger.last_at();
  incident.set_cluster(manifest.cluster());
  incident.set_origin_node(manifest.node());
  *incident.add_events() = trigger;
  incident.set_summary(trigger.summary());
  incident.set_repeat(manifest.repeat());
  MergeClients(incident);
  return incident;
}

void IncidentManager::Adopt(const v1::Manifest& manifest) {
  v1::Incident& incident = Known(manifest);
  if (Sealed(incident, manifest)) Changed(incident);
}

v1::Incident* IncidentManager::FindOpen(const std::string& kind, const std::string& subject_id) {
  for (const auto& [id, open] : open_) {
    v1::Incident& incident = incidents_[id];
    if (incident.kind() == kind && incident.subject().id() == subject_id) return &incident;
  }
  return nullptr;
}

void IncidentManager::OnEvent(const v1::Event& event, bool ended) {
  v1::Incident* incident = FindOpen(event.kind(), event.subject().id());
  const bool opened = incident == nullptr;
  if (opened) {
    if (ended) return;  // its incident was deleted by a person
    incident = &Open(event);
  }
  auto& events = *incident->mutable_events();
  auto known =
      std::find_if(events.begin(), events.end(), [&](const v1::Event& e) { return e.id() == event.id(); });
  if (known == events.end()) {
    if (events.size() >= kMaxEvents) events.DeleteSubrange(1, 1);  // the first one stays
    *events.Add() = event;
    known = events.end() - 1;
  } else {
    *known = event;
  }
  known->set_incident_id(incident->id());
  OpenIncident& open = open_[incident->id()];
  if (ended) {
    open.active.erase(event.id());
  } else {
    open.active.insert(event.id());
  }
  open.quiet_since_ns = std::max(open.quiet_since_ns, event.last_mono_ns());
  if (event.last_at() > incident->last_event_at()) *incident->mutable_last_event_at() = event.last_at();
  incident->set_severity(std::max(incident->severity(), event.severity()));
  incident->set_summary(events.Get(0).summary());
  MergeClients(*incident);
  if (opened) {
    SettleCompleteness(*incident);
    const v1::Event trigger = *known;
    callbacks_.opened(*incident, trigger);
  }
  Changed(*incident);
}

v1::Incident& IncidentManager::Open(const v1::Event& event) {
  v1::Incident incident = FromEvent(ids_.Next(), event);
  incident.set_state(v1::OPEN);
  incident.set_cluster(options_.cluster);
  incident.set_origin_node(options_.node);
  incident.set_repeat(std::any_of(incidents_.begin(), incidents_.end(), [&](const auto& known) {
    return known.second.kind() == event.kind() && known.second.subject().id() == event.subject().id() &&
           std::any_of(known.second.captures().begin(), known.second.captures().end(), Captured);
  }));
  v1::Capture& capture = *incident.add_captures();
  capture.set_node(options_.node);
  capture.set_state(v1::COLLECTING);
  *capture.mutable_started_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
  const std::string id = incident.id();
  open_[id].quiet_since_ns = event.last_mono_ns();
  return incidents_[id] = std::move(incident);
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
  OnEvent(event, false);
  v1::Incident& incident = *FindOpen(event.kind(), event.subject().id());
  incident.set_reason(reason);
  // Over by nature: nothing goes on that could become quiet.
  open_.erase(incident.id());
  incident.set_state(v1::CLOSED);
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
    open = open_.erase(open);
    incident.set_state(v1::CLOSED);
    *incident.mutable_closed_at() = TimeUtil::NanosecondsToTimestamp(clock_.RealtimeNs());
    Changed(incident);
    callbacks_.closed(incident);
  }
}

v1::Capture& IncidentManager::OwnCapture(v1::Incident& incident) {
  for (v1::Capture& capture : *incident.mutable_captures()) {
    if (capture.node() == options_.node) return capture;
  }
  v1::Capture& capture = *incident.add_captures();
  capture.set_node(options_.node);
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
  const int64_t sealed_after = TimeUtil::TimestampToNanoseconds(manifest.sealed_at()) -
                               TimeUtil::TimestampToNanoseconds(manifest.trigger().first_at());
  capture.set_sealed_after_ns(static_cast<uint64_t>(std::max<int64_t>(sealed_after, 0)));
  uint32_t ok = 0;
  for (const v1::CollectorResult& result : manifest.collectors()) ok += result.outcome() == v1::OK ? 1 : 0;
  capture.set_collectors_ok(ok);
  capture.set_collectors_failed(static_cast<uint32_t>(manifest.collectors_size()) - ok);
  *incident.mutable_completeness()->mutable_losses() = manifest.losses();
  return true;
}

void IncidentManager::CaptureStored(const v1::Manifest& manifest, const std::string& where) {
  v1::Incident& incident = Known(manifest);
  Sealed(incident, manifest);
  v1::Capture& capture = OwnCapture(incident);
  capture.set_state(v1::STORED);
  capture.set_where(where);
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
  incidents_.erase(id);
  open_.erase(id);
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

void IncidentManager::SettleCompleteness(v1::Incident& incident) const {
  v1::Completeness& complete = *incident.mutable_completeness();
  uint32_t captured = 0;
  uint32_t stored = 0;
  complete.clear_missing();
  for (const v1::Capture& capture : incident.captures()) {
    captured += Captured(capture) ? 1 : 0;
    stored += capture.state() == v1::STORED ? 1 : 0;
    if (!Captured(capture)) complete.add_missing(capture.node() + ": " + CaptureProblem(capture));
  }
  const auto expected = static_cast<uint32_t>(incident.captures_size());
  complete.set_expected(expected);
  complete.set_captured(captured);
  complete.set_stored(stored);
  // A loss of count 0 is a note: something this host does not have.
  const bool lost = std::any_of(complete.losses().begin(), complete.losses().end(),
                                [](const v1::Loss& loss) { return loss.count() != 0; });
  complete.set_complete(stored == expected && !lost);
}

}  // namespace ffdc
