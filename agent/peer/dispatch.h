// SPDX-License-Identifier: Apache-2.0
// What peers ask of this node, whichever way it comes: checked, and handed to the
// loop's thread, at most kMaxWaitingCalls at a time; more are refused and counted.
// Pings are answered at once, for their timestamps. Any thread, unless it says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/event_loop.h"
#include "peer/peer_service.h"

namespace ffdc {

inline constexpr size_t kMaxWaitingCalls = 256;

struct PeerCounts {
  uint64_t refused = 0;     // calls by nodes that are no members, or that make no sense
  uint64_t overloaded = 0;  // more than may wait
  uint64_t joins = 0;       // of those refused: calls of Join
};

struct PeerDispatchOptions {
  std::string cluster;
  std::string version;
};

// Errors of answers carry a code of gRPC's (grpc::StatusCode).
class PeerDispatch {
 public:
  // refused is called on any thread. Of a PeerDispatch that has gone no handler runs any more: it must
  // outlive whatever asks, and ends on the loop's thread.
  PeerDispatch(PeerDispatchOptions options, EventLoop& loop, PeerHandlers handlers, PeerRefused refused);

  // peer: a member's name. answer: once, on the loop's thread or on this one; never if the loop has ended.
  void Ask(const std::string& peer, const v1::AlertRequest& request,
           const PeerAnswer<v1::AlertReply>& answer);
  void Ask(const std::string& peer, const v1::PingRequest& request, const PeerAnswer<v1::PingReply>& answer);
  void Ask(const std::string& peer, const v1::CaptureReport& request,
           const PeerAnswer<v1::CaptureReportReply>& answer);
  void Ask(const std::string& peer, const v1::PeerIncidentsRequest& request,
           const PeerAnswer<v1::PeerIncidents>& answer);
  void Ask(const std::string& peer, const v1::PeerNewsRequest& request,
           const PeerAnswer<v1::PeerNews>& answer);
  void Ask(const std::string& peer, const v1::CaptureOffer& request,
           const PeerAnswer<v1::CaptureOfferReply>& answer);
  void Ask(const std::string& peer, const v1::CapturePart& request,
           const PeerAnswer<v1::CapturePartReply>& answer);
  // from: somebody who may be anybody. The request was checked.
  void AskToJoin(const std::string& from, const v1::JoinRequest& request,
                 const PeerAnswer<v1::JoinReply>& answer);

  // Counts a call that was refused, and tells of it. quiet: it does not.
  void Refuse(const std::string& from, const std::string& why, bool quiet = false);
  void RefuseJoin(const std::string& from, const std::string& why, bool quiet = false);

  // What pings are told: whether this node reaches the store, and which one it is.
  void SetStore(bool reachable, const std::string& store_id);
  [[nodiscard]] PeerCounts counts() const;

 private:
  template <class Request, class Reply, class Handler>
  void Handle(const std::string& peer, const Request& request, const Result<>& checked,
              const Handler& handler, const PeerAnswer<Reply>& answer);
  // False: it is refused, and answered.
  template <class Reply>
  bool Admit(const std::string& peer, const Result<>& checked, const PeerAnswer<Reply>& answer);
  template <class Request, class Reply, class Handler>
  void Forward(const std::string& peer, const Request& request, const Handler& handler,
               const PeerAnswer<Reply>& answer);

  const PeerDispatchOptions options_;
  EventLoop& loop_;
  const PeerHandlers handlers_;
  const PeerRefused refused_;
  std::atomic<size_t> waiting_{0};
  std::atomic<uint64_t> refused_count_{0};
  std::atomic<uint64_t> overloaded_{0};
  std::atomic<uint64_t> refused_joins_{0};
  mutable std::mutex mutex_;
  bool store_reachable_ = false;
  std::string store_id_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace ffdc
