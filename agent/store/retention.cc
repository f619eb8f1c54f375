// SPDX-License-Identifier: Apache-2.0
#include "store/retention.h"

#include <algorithm>
#include <tuple>

#include "base/clock.h"

namespace ffdc {
namespace {

bool IsOver(uint64_t value, uint64_t limit) { return limit != 0 && value > limit; }

// A clock that stepped back makes an incident younger than now: it stays.
bool IsTooOld(const StoredIncident& incident, const RetentionLimits& limits, int64_t now_ns) {
  const int64_t age_s = (now_ns - incident.opened_wall_ns) / kNsPerSecond;
  return age_s > 0 && IsOver(static_cast<uint64_t>(age_s), limits.max_age_s);
}

}  // namespace

std::vector<RetentionStep> PlanRetention(std::vector<StoredIncident> incidents, const RetentionLimits& limits,
                                         int64_t now_ns) {
  std::sort(incidents.begin(), incidents.end(), [](const StoredIncident& a, const StoredIncident& b) {
    return std::tie(b.repeat, a.opened_wall_ns, a.id) < std::tie(a.repeat, b.opened_wall_ns, b.id);
  });
  uint64_t bytes = 0;
  for (const auto& incident : incidents) bytes += incident.bytes;
  uint64_t count = incidents.size();

  std::vector<RetentionStep> steps;
  const auto remove = [&](const StoredIncident& incident, const std::string& reason) {
    bytes -= incident.bytes;
    --count;
    steps.push_back({incident.id, "retention: " + reason});
  };
  // Age first: what goes for it may make room enough.
  for (auto& incident : incidents) {
    if (incident.keep || !IsTooOld(incident, limits, now_ns)) continue;
    remove(incident, "older than " + std::to_string(limits.max_age_s) + " s");
    incident.keep = true;  // settled
  }
  for (const auto& incident : incidents) {
    if (incident.keep) continue;
    if (IsOver(bytes, limits.max_bytes)) {
      remove(incident, "the store held more than " + std::to_string(limits.max_bytes) + " bytes");
    } else if (IsOver(count, limits.max_incidents)) {
      remove(incident, "the store held more than " + std::to_string(limits.max_incidents) + " incidents");
    } else {
      break;
    }
  }
  return steps;
}

}  // namespace ffdc
