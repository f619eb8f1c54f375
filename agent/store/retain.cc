// SPDX-License-Identifier: Apache-2.0
#include "store/retain.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/file_source.h"
#include "store/retention.h"

namespace ffdc {
namespace {

class LeaseGuard {
 public:
  explicit LeaseGuard(StoreDriver& store) : store_(store) {}
  LeaseGuard(const LeaseGuard&) = delete;
  LeaseGuard& operator=(const LeaseGuard&) = delete;
  ~LeaseGuard() { store_.ReleaseLease(); }

 private:
  StoreDriver& store_;
};

template <class Message>
Result<Message> ReadJson(StoreDriver& store, const std::string& id, const std::string& node,
                         const std::string& file) {
  FFDC_ASSIGN(const auto source, store.Open(id, node, file));
  FFDC_ASSIGN(const std::string text, ReadText(*source));
  Message message;
  FFDC_TRY(FromJson(text, &message));
  return message;
}

// Pinned, or open in the eyes of another node: one that died with an open incident must not keep it for ever.
bool MustStay(const v1::Incident& incident, int64_t now_ns) {
  constexpr int64_t kOpenForAtMostS = 86'400;
  if (incident.pinned()) return true;
  return incident.state() == v1::OPEN &&
         incident.last_event_at().seconds() > now_ns / kNsPerSecond - kOpenForAtMostS;
}

// What stands in the files decides; what cannot be read stays longer.
void Classify(StoreDriver& store, const std::vector<StoredCapture>& captures,
              std::vector<StoredIncident>* incidents, int64_t now_ns) {
  std::map<std::string, std::string> a_node;
  for (const auto& capture : captures) a_node[capture.incident_id] = capture.node;
  for (auto& incident : *incidents) {
    const auto manifest = ReadJson<v1::Manifest>(store, incident.id, a_node[incident.id], kManifestFile);
    incident.repeat = manifest && manifest->repeat();
    const auto description = ReadJson<v1::Incident>(store, incident.id, {}, kIncidentFile);
    if (description && MustStay(*description, now_ns)) incident.keep = true;
  }
}

std::vector<StoredIncident> Incidents(const std::vector<StoredCapture>& captures, const v1::StoreArgs& args) {
  const std::set<std::string> keep(args.keep_ids().begin(), args.keep_ids().end());
  std::map<std::string, StoredIncident> incidents;
  for (const auto& capture : captures) {
    auto& incident = incidents[capture.incident_id];
    incident.id = capture.incident_id;
    incident.opened_wall_ns = UuidWallNs(capture.incident_id);
    incident.bytes += capture.bytes;
    incident.keep = keep.contains(capture.incident_id);
  }
  std::vector<StoredIncident> list;
  list.reserve(incidents.size());
  for (auto& [id, incident] : incidents) list.push_back(std::move(incident));
  return list;
}

Result<std::set<std::string>> RemoveOver(StoreDriver& store, const std::vector<StoredCapture>& captures,
                                         const v1::StoreArgs& args, size_t max_removals,
                                         v1::StoreReply* reply,
                                         const std::function<Result<>(const v1::Removal&)>& removed) {
  const RetentionLimits limits{args.max_age_s(), args.max_bytes(), args.max_incidents()};
  const int64_t now_ns = SystemClock().RealtimeNs();
  auto incidents = Incidents(captures, args);
  std::set<std::string> gone;
  if (PlanRetention(incidents, limits, now_ns).empty()) return gone;
  Classify(store, captures, &incidents, now_ns);
  auto steps = PlanRetention(incidents, limits, now_ns);
  steps.resize(std::min(steps.size(), max_removals));
  for (auto& step : steps) {
    FFDC_ASSIGN(const uint64_t bytes, store.Remove(step.id));
    ReportProgress();
    auto* removal = reply->add_removed();
    removal->set_id(step.id);
    removal->set_reason(step.reason);
    removal->set_bytes(bytes);
    reply->set_bytes_freed(reply->bytes_freed() + bytes);
    FFDC_TRY(removed(*removal));
    gone.insert(step.id);
  }
  return gone;
}

}  // namespace

Result<> Retain(StoreDriver& store, const v1::StoreArgs& args, size_t max_removals, v1::StoreReply* reply,
                const std::function<Result<>(const v1::Removal&)>& removed) {
  FFDC_TRY(
      store.RemoveHalfUploads(args.own_uploads(), {args.spooled_ids().begin(), args.spooled_ids().end()}));
  FFDC_ASSIGN(auto captures, store.List());
  std::set<std::string> gone;
  const RetentionLimits limits{args.max_age_s(), args.max_bytes(), args.max_incidents()};
  if (!PlanRetention(Incidents(captures, args), limits, SystemClock().RealtimeNs()).empty()) {
    // Two nodes that both see too much would both remove as much: one does, and looks again before.
    FFDC_ASSIGN(const bool acquired, store.AcquireLease());
    if (!acquired) {
      reply->set_lease_held_by_other(true);
    } else {
      const LeaseGuard lease(store);
      FFDC_ASSIGN(captures, store.List());
      FFDC_ASSIGN(gone, RemoveOver(store, captures, args, max_removals, reply, removed));
    }
  }
  for (const auto& capture : captures) {
    if (gone.contains(capture.incident_id)) continue;
    reply->set_bytes(reply->bytes() + capture.bytes);
    reply->set_captures(reply->captures() + 1);
  }
  return {};
}

}  // namespace ffdc
