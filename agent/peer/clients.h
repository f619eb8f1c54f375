// SPDX-License-Identifier: Apache-2.0
// The other agents, seen from here: one link a member, which one of the two opens and keeps.
// While there is none, or it is silent, they are called directly, as for a handoff: along a
// connection that ends once it is idle. Calls start on the loop's thread and are answered
// there; none blocks, each has a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "ffdc/v1/peer.pb.h"
#include "peer/clock_offset.h"
#include "peer/dispatch.h"
#include "peer/link.h"
#include "peer/tls.h"

namespace ffdc {

inline constexpr std::chrono::milliseconds kAlertDeadline{500};
inline constexpr std::chrono::milliseconds kQueryDeadline{1000};
inline constexpr std::chrono::milliseconds kHandoffDeadline{20000};  // the peer writes to its disk

struct PeerClientsOptions {
  std::string node;  // this one
  std::string cluster;
  TlsIdentity tls;
};

class PeerClients {
 public:
  template <class Reply>
  using Done = std::function<void(Result<Reply>)>;

  // dispatch: whom calls are for that come along links which this node opened.
  static std::unique_ptr<PeerClients> Create(PeerClientsOptions options, EventLoop& loop,
                                             std::shared_ptr<PeerDispatch> dispatch);
  virtual ~PeerClients() = default;  // ends open calls; no done runs any more

  // Node -> ip:port. Links and connections of others are closed.
  virtual void SetPeers(const std::map<std::string, std::string>& addresses) = 0;

  // Who this node is from now on: every connection is made anew.
  virtual void SetTls(TlsIdentity tls) = 0;

  // One that the peer has opened. It replaces what was there.
  virtual void AddLink(std::shared_ptr<PeerLink> link) = 0;

  // A node that is none of the peers fails at once, as every done does later: on the loop's thread.
  virtual void Alert(const std::string& node, const v1::AlertRequest& request, Done<v1::AlertReply> done) = 0;
  virtual void Report(const std::string& node, const v1::CaptureReport& request,
                      Done<v1::CaptureReportReply> done) = 0;
  virtual void Incidents(const std::string& node, const v1::PeerIncidentsRequest& request,
                         Done<v1::PeerIncidents> done) = 0;
  virtual void News(const std::string& node, const v1::PeerNewsRequest& request, Done<v1::PeerNews> done) = 0;
  virtual void Offer(const std::string& node, const v1::CaptureOffer& request,
                     Done<v1::CaptureOfferReply> done) = 0;
  virtual void SendPart(const std::string& node, const v1::CapturePart& request,
                        Done<v1::CapturePartReply> done) = 0;
  // Adds to what is known of its clock.
  virtual void Ping(const std::string& node, Done<v1::PingReply> done) = 0;

  [[nodiscard]] virtual std::optional<PeerClock> ClockOf(const std::string& node) const = 0;
};

}  // namespace ffdc
