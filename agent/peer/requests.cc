// SPDX-License-Identifier: Apache-2.0
#include "peer/requests.h"

#include <cerrno>

#include "base/certificate_maker.h"
#include "base/join_token.h"
#include "base/name.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "peer/alert_plan.h"

namespace ffdc {
namespace {

constexpr size_t kMaxTextBytes = 4096;
constexpr int kMaxReportedEvents = 64;
constexpr int kMaxLosses = 256;

// What others say goes no further than a line of a log.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 64)) shown += (c >= 0x20 && c < 0x7f) ? c : '?';
  return "'" + shown + "'";
}

Result<> CheckCluster(std::string_view theirs, std::string_view ours) {
  if (theirs == ours) return {};
  return Fail("it is of cluster " + Shown(theirs) + ", this node of '" + std::string(ours) +
                  "': change [node] cluster of one of them",
              EINVAL);
}

Result<> CheckId(std::string_view id) {
  if (IsUuid(id)) return {};
  return Fail(Shown(id) + " is no incident id", EINVAL);
}

Result<> CheckEvent(const v1::Event& event) {
  if (event.kind().empty() || event.kind().size() > 64) return Fail("an event without a kind", EINVAL);
  if (!IsUuid(event.id())) return Fail("an event's id " + Shown(event.id()) + " is none", EINVAL);
  if (event.summary().size() > kMaxTextBytes || event.subject().id().size() > kMaxTextBytes)
    return Fail("an event with a text of more than " + std::to_string(kMaxTextBytes) + " bytes", EINVAL);
  if (!IsNodeName(event.node())) return Fail("an event of node " + Shown(event.node()), EINVAL);
  return {};
}

}  // namespace

Result<> CheckRequest(const v1::AlertRequest& request, std::string_view cluster) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  FFDC_TRY(CheckId(request.incident_id()));
  if (!IsNodeName(request.origin_node())) return Fail("origin " + Shown(request.origin_node()), EINVAL);
  if (!request.relayed_by().empty() && !IsNodeName(request.relayed_by()))
    return Fail("relayed by " + Shown(request.relayed_by()), EINVAL);
  if (request.reason().size() > kMaxTextBytes) return Fail("a reason that is too long", EINVAL);
  if (static_cast<size_t>(request.forward_to_size()) > kAlertGroup)
    return Fail("an alert to be sent on to more than " + std::to_string(kAlertGroup) + " nodes", EINVAL);
  for (const std::string& node : request.forward_to()) {
    if (!IsNodeName(node)) return Fail("an alert to be sent on to " + Shown(node), EINVAL);
  }
  return CheckEvent(request.trigger());
}

Result<> CheckRequest(const v1::PingRequest& request, std::string_view cluster) {
  return CheckCluster(request.cluster(), cluster);
}

Result<> CheckRequest(const v1::CaptureReport& request, std::string_view cluster, std::string_view peer) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  FFDC_TRY(CheckId(request.incident_id()));
  if (request.capture().node() != peer)
    return Fail("a report on the capture of " + Shown(request.capture().node()), EINVAL);
  if (request.capture().losses_size() > kMaxLosses || request.events_size() > kMaxReportedEvents)
    return Fail("a report with too many losses or events", EINVAL);
  for (const v1::Event& event : request.events()) {
    FFDC_TRY(CheckEvent(event));
    if (event.node() != peer) return Fail("a report of an event of " + Shown(event.node()), EINVAL);
  }
  return {};
}

Result<> CheckRequest(const v1::PeerIncidentsRequest& request, std::string_view cluster) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  if (!request.state().empty() && request.state() != "open" && request.state() != "closed")
    return Fail(Shown(request.state()) + " is no state", EINVAL);
  if (request.id_prefix().size() > kUuidBytes) return Fail("an id that is too long", EINVAL);
  return {};
}

Result<> CheckRequest(const v1::PeerNewsRequest& request, std::string_view cluster) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  if (!request.run_id().empty() && !IsUuid(request.run_id()))
    return Fail(Shown(request.run_id()) + " is no run of an agent", EINVAL);
  return {};
}

Result<> CheckRequest(const v1::CaptureOffer& request, std::string_view cluster) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  FFDC_TRY(CheckId(request.incident_id()));
  if (!request.store_id().empty() && !IsUuid(request.store_id()))
    return Fail("a store " + Shown(request.store_id()) + " that is none", EINVAL);
  if (request.archive_bytes() == 0) return Fail("a capture without content", EINVAL);
  return {};
}

Result<> CheckRequest(const v1::CapturePart& request, std::string_view cluster) {
  FFDC_TRY(CheckCluster(request.cluster(), cluster));
  FFDC_TRY(CheckId(request.incident_id()));
  if (request.data().empty() || request.data().size() > kHandoffPartBytes)
    return Fail("a part of " + std::to_string(request.data().size()) + " bytes", EINVAL);
  return {};
}

Result<> CheckRequest(const v1::JoinRequest& request) {
  if (!IsNodeName(request.node())) return Fail(Shown(request.node()) + " is no name of a node", EINVAL);
  if (!IsJoinSecret(request.secret())) return Fail("a token that is none", EINVAL);
  if (request.request().size() > kMaxRequestPemBytes)
    return Fail("a certificate request that is too long", EINVAL);
  return {};
}

}  // namespace ffdc
