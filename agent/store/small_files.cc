// SPDX-License-Identifier: Apache-2.0
#include "store/small_files.h"

#include "base/clock.h"
#include "base/proto_json.h"
#include "base/uuid.h"

namespace ffdc {
namespace {

// A run of retention ends well within it. What is left of a dead holder's is taken over after as long again,
// so that clocks that differ by minutes do no harm.
constexpr int64_t kLeaseNs = kNsPerSecond * 10 * 60;

}  // namespace

v1::StoreMarker NewMarker(const std::string& cluster, const std::string& node) {
  v1::StoreMarker marker;
  marker.set_format(1);
  marker.set_id(UuidGenerator(SystemClock()).Next());
  marker.set_cluster(cluster);
  marker.set_created_by(node);
  marker.mutable_created_at()->set_seconds(SystemClock().RealtimeNs() / kNsPerSecond);
  return marker;
}

Result<std::string> MarkerIdOf(std::string_view text, const std::string& file) {
  v1::StoreMarker marker;
  const auto parsed = FromJson(text, &marker);
  if (!parsed) return Unexpected(parsed.error().In(file));
  if (!IsUuid(marker.id())) return Fail(file + " has no id: restore or remove it");
  return marker.id();
}

v1::StoreLease NewLease(const std::string& node) {
  v1::StoreLease lease;
  lease.set_node(node);
  lease.set_id(UuidGenerator(SystemClock()).Next());
  lease.set_until_wall_ns(SystemClock().RealtimeNs() + kLeaseNs);
  return lease;
}

v1::StoreLease ParseLease(std::string_view text) {
  v1::StoreLease lease;
  if (!FromJson(text, &lease)) lease.Clear();
  return lease;
}

bool IsHeld(const v1::StoreLease& lease) {
  return SystemClock().RealtimeNs() < lease.until_wall_ns() + kLeaseNs;
}

}  // namespace ffdc
