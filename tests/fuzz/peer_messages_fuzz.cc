// SPDX-License-Identifier: Apache-2.0
// links: ffdc_peer ffdc_cluster
// What other agents send, and what the cluster DB holds of them: whatever passes the checks may become a
// key or a folder's name.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/certificate_maker.h"
#include "base/endpoint.h"
#include "base/join_token.h"
#include "base/name.h"
#include "base/uuid.h"
#include "cluster/join_tokens.h"
#include "cluster/membership.h"
#include "ffdc/v1/peer.pb.h"
#include "peer/link.h"
#include "peer/requests.h"

namespace {

class Stream final : public ffdc::LinkStream {
 public:
  void Write(const ffdc::v1::LinkMessage& /*message*/) override { ++writes; }
  void Cancel() override {}
  int writes = 0;
};

// What comes along a link; nobody runs the loop, so that what waits for it soon is too much.
void TryLink(const std::string& bytes) {
  static const auto loop = std::move(*ffdc::EventLoop::Create());
  static const auto dispatch = std::make_shared<ffdc::PeerDispatch>(
      ffdc::PeerDispatchOptions{"prod", "1.0"}, *loop, ffdc::PeerHandlers(), [](const std::string&) {});
  static Stream stream;
  static const auto link = std::make_shared<ffdc::PeerLink>("node1", *loop, dispatch, stream);
  ffdc::v1::LinkMessage message;
  if (!message.ParseFromString(bytes)) return;
  const int before = stream.writes;
  link->OnMessage(message);
  if (stream.writes > before + 1) abort();
  if (stream.writes > before) link->OnWritten();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  TryLink(bytes);
  ffdc::v1::AlertRequest alert;
  if (alert.ParseFromString(bytes) && ffdc::CheckRequest(alert, alert.cluster())) {
    if (!ffdc::IsUuid(alert.incident_id()) || !ffdc::IsNodeName(alert.origin_node())) abort();
    if (alert.origin_node().find('/') != std::string::npos) abort();
    for (const std::string& node : alert.forward_to()) {
      if (!ffdc::IsNodeName(node)) abort();
    }
  }
  ffdc::v1::CaptureReport report;
  if (report.ParseFromString(bytes) &&
      ffdc::CheckRequest(report, report.cluster(), report.capture().node())) {
    if (!ffdc::IsUuid(report.incident_id())) abort();
  }
  ffdc::v1::PeerIncidentsRequest query;
  if (query.ParseFromString(bytes)) (void)ffdc::CheckRequest(query, "prod");
  ffdc::v1::PeerNewsRequest news;
  if (news.ParseFromString(bytes)) (void)ffdc::CheckRequest(news, "prod");
  ffdc::v1::PingRequest ping;
  if (ping.ParseFromString(bytes)) (void)ffdc::CheckRequest(ping, "prod");
  ffdc::v1::CaptureOffer offer;
  if (offer.ParseFromString(bytes) && ffdc::CheckRequest(offer, offer.cluster()) &&
      !ffdc::IsUuid(offer.incident_id()))
    abort();
  ffdc::v1::CapturePart part;
  if (part.ParseFromString(bytes) && ffdc::CheckRequest(part, part.cluster()) &&
      (!ffdc::IsUuid(part.incident_id()) || part.data().empty()))
    abort();
  if (const auto member = ffdc::ParseMember("node1", bytes);
      member && !ffdc::ParseEndpoint(member->address()))
    abort();
  (void)ffdc::ParseEndpoints(bytes);
  ffdc::v1::JoinRequest join;
  if (join.ParseFromString(bytes) && ffdc::CheckRequest(join)) {
    if (!ffdc::IsNodeName(join.node()) || !ffdc::IsJoinSecret(join.secret())) abort();
    (void)ffdc::CheckCertificateRequest(join.request(), join.node());
  }
  (void)ffdc::CheckCertificateRequest(bytes, "node1");
  if (const auto token = ffdc::ParseJoinToken(bytes); token && token->Text() != bytes) abort();
  ffdc::JoinTokens tokens;
  tokens.OnEntry(ffdc::JoinTokens::kPrefix + ffdc::JoinSecretHash("x"), bytes);
  (void)tokens.Check("x", 0);
  return 0;
}
