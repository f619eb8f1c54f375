// SPDX-License-Identifier: Apache-2.0
#include "incident/grouping.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "base/layers.h"

namespace ffdc {
namespace {

// Identities of what failed, without what is only told.
std::unordered_set<std::string_view> Failed(const google::protobuf::RepeatedPtrField<v1::Event>& events) {
  std::unordered_set<std::string_view> ids;
  for (const v1::Event& event : events) {
    if (event.severity() != v1::INFO) ids.insert(event.subject().id());
  }
  return ids;
}

bool StandsOnOne(const v1::Event& event, const std::unordered_set<std::string_view>& failed) {
  return std::any_of(event.below_ids().begin(), event.below_ids().end(), [&](const std::string& id) {
    return id != event.subject().id() && failed.contains(id);
  });
}

// A path fails and its commands time out, or commands time out and their path is given up:
// which of the two it was, the time tells.
Layer DepthOf(const v1::Event& event) {
  const Layer layer = LayerOf(event.kind());
  return layer == Layer::kCommand ? Layer::kPath : layer;
}

}  // namespace

bool IsRequested(const v1::Event& event) { return event.domain() == v1::REQUESTED; }

bool IsRecovery(const v1::Event& event) {
  return event.kind() == "link.up" || event.kind() == "node.joined" || event.kind() == "node.left" ||
         event.kind().ends_with(".restored");
}

bool IsClusterWide(std::string_view subject_id) {
  constexpr std::string_view kPrefixes[] = {
      "wwid:", "nvme:", "nfs:", "ceph:", "rbd:", "endpoint:", "node:", "cluster_db:"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return subject_id.starts_with(prefix); });
}

const v1::Event& FirstCauseOf(const google::protobuf::RepeatedPtrField<v1::Event>& events) {
  const std::unordered_set<std::string_view> failed = Failed(events);
  const auto rank = [&failed](const v1::Event& event) {
    return std::make_tuple(event.severity() == v1::INFO, StandsOnOne(event, failed), DepthOf(event),
                           event.first_mono_ns());
  };
  return *std::min_element(events.begin(), events.end(),
                           [&rank](const v1::Event& a, const v1::Event& b) { return rank(a) < rank(b); });
}

void OpenSubjects::Add(const std::string& incident_id, const v1::Event& event) {
  Change(incident_id, event, 1);
}

void OpenSubjects::Take(const std::string& incident_id, const v1::Event& event) {
  Change(incident_id, event, -1);
}

void OpenSubjects::Change(const std::string& incident_id, const v1::Event& event, int by) {
  if (IsRequested(event)) return;
  if (!node_.empty() && !event.node().empty() && event.node() != node_) {
    if (IsClusterWide(event.subject().id())) Change(subjects_, event.subject().id(), incident_id, by);
    return;
  }
  Change(subjects_, event.subject().id(), incident_id, by);
  for (const std::string& id : event.related_ids()) Change(related_, id, incident_id, by);
}

void OpenSubjects::Change(Index& index, const std::string& key, const std::string& incident_id, int by) {
  if (key.empty()) return;
  Incidents& incidents = index[key];
  uint32_t& events = incidents[incident_id];
  events += static_cast<uint32_t>(by);
  if (events != 0) return;
  incidents.erase(incident_id);
  if (incidents.empty()) index.erase(key);
}

std::string OpenSubjects::Find(const v1::Event& event, bool related,
                               const std::function<bool(const std::string& incident_id)>& accept) const {
  // To be of the same node says little: what belongs together by that alone comes last.
  std::set<std::pair<bool, std::string_view>> candidates;
  const auto collect = [&candidates](const Index& index, const std::string& key) {
    const auto found = index.find(key);
    if (found == index.end()) return;
    for (const auto& [id, events] : found->second) candidates.emplace(key.starts_with("node:"), id);
  };
  if (IsRequested(event)) return {};
  collect(subjects_, event.subject().id());
  if (related) {
    collect(related_, event.subject().id());
    for (const std::string& id : event.related_ids()) collect(subjects_, id);
  }
  for (const auto& [by_node, id] : candidates) {
    if (accept(std::string(id))) return std::string(id);
  }
  return {};
}

}  // namespace ffdc
