// SPDX-License-Identifier: Apache-2.0
#include "peer/dispatch.h"

#include <grpcpp/support/status.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

// What handlers say in errno.
Error ToPeer(const Error& error) {
  const auto as = [&](grpc::StatusCode code) { return Error{error.message, code}; };
  switch (error.code) {
    case EINVAL:
      return as(grpc::StatusCode::INVALID_ARGUMENT);
    case EACCES:
      return as(grpc::StatusCode::PERMISSION_DENIED);
    case EEXIST:
      return as(grpc::StatusCode::ALREADY_EXISTS);
    case ENOTSUP:
      return as(grpc::StatusCode::FAILED_PRECONDITION);
    default:
      return as(grpc::StatusCode::INTERNAL);
  }
}

}  // namespace

PeerDispatch::PeerDispatch(PeerDispatchOptions options, EventLoop& loop, PeerHandlers handlers,
                           PeerRefused refused)
    : options_(std::move(options)),
      loop_(loop),
      handlers_(std::move(handlers)),
      refused_(std::move(refused)) {}

void PeerDispatch::Ask(const std::string& peer, const v1::AlertRequest& request,
                       const PeerAnswer<v1::AlertReply>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster), handlers_.alert, answer);
}
void PeerDispatch::Ask(const std::string& peer, const v1::CaptureReport& request,
                       const PeerAnswer<v1::CaptureReportReply>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster, peer), handlers_.report, answer);
}
void PeerDispatch::Ask(const std::string& peer, const v1::PeerIncidentsRequest& request,
                       const PeerAnswer<v1::PeerIncidents>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster), handlers_.incidents, answer);
}
void PeerDispatch::Ask(const std::string& peer, const v1::PeerNewsRequest& request,
                       const PeerAnswer<v1::PeerNews>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster), handlers_.news, answer);
}
void PeerDispatch::Ask(const std::string& peer, const v1::CaptureOffer& request,
                       const PeerAnswer<v1::CaptureOfferReply>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster), handlers_.offer, answer);
}
void PeerDispatch::Ask(const std::string& peer, const v1::CapturePart& request,
                       const PeerAnswer<v1::CapturePartReply>& answer) {
  Handle(peer, request, CheckRequest(request, options_.cluster), handlers_.part, answer);
}

void PeerDispatch::Ask(const std::string& peer, const v1::PingRequest& request,
                       const PeerAnswer<v1::PingReply>& answer) {
  v1::PingReply reply;
  reply.set_received_wall_ns(SystemClock().RealtimeNs());
  if (!Admit(peer, CheckRequest(request, options_.cluster), answer)) return;
  reply.set_version(options_.version);
  {
    const std::lock_guard lock(mutex_);
    reply.set_store_reachable(store_reachable_);
    reply.set_store_id(store_id_);
  }
  reply.set_sent_wall_ns(SystemClock().RealtimeNs());
  answer(std::move(reply));
}

void PeerDispatch::AskToJoin(const std::string& from, const v1::JoinRequest& request,
                             const PeerAnswer<v1::JoinReply>& answer) {
  Forward(from, request, handlers_.join, answer);
}

void PeerDispatch::Refuse(const std::string& from, const std::string& why, bool quiet) {
  ++refused_count_;
  if (!quiet) refused_("a call from " + from + " is refused: " + why);
}

void PeerDispatch::RefuseJoin(const std::string& from, const std::string& why, bool quiet) {
  ++refused_count_;
  ++refused_joins_;
  if (!quiet) refused_("a node at " + from + " may not join: " + why);
}

void PeerDispatch::SetStore(bool reachable, const std::string& store_id) {
  const std::lock_guard lock(mutex_);
  store_reachable_ = reachable;
  store_id_ = store_id;
}

PeerCounts PeerDispatch::counts() const { return {refused_count_, overloaded_, refused_joins_}; }

template <class Request, class Reply, class Handler>
void PeerDispatch::Handle(const std::string& peer, const Request& request, const Result<>& checked,
                          const Handler& handler, const PeerAnswer<Reply>& answer) {
  if (Admit(peer, checked, answer)) Forward(peer, request, handler, answer);
}

template <class Reply>
bool PeerDispatch::Admit(const std::string& peer, const Result<>& checked, const PeerAnswer<Reply>& answer) {
  if (checked) return true;
  Refuse("node " + peer, checked.error().message);
  answer(Fail(checked.error().message, grpc::StatusCode::PERMISSION_DENIED));
  return false;
}

// To the loop's thread.
template <class Request, class Reply, class Handler>
void PeerDispatch::Forward(const std::string& peer, const Request& request, const Handler& handler,
                           const PeerAnswer<Reply>& answer) {
  if (waiting_.fetch_add(1) >= kMaxWaitingCalls) {
    --waiting_;
    ++overloaded_;
    return answer(Fail(std::to_string(kMaxWaitingCalls) + " calls wait for this node already: try again",
                       grpc::StatusCode::RESOURCE_EXHAUSTED));
  }
  loop_.Post([this, alive = std::weak_ptr<int>(alive_), peer, request, &handler, answer] {
    if (alive.expired()) return;
    handler(peer, request, [this, alive, answer](Result<Reply> reply) {
      if (!alive.expired()) --waiting_;
      if (!reply) reply = Unexpected(ToPeer(reply.error()));
      answer(std::move(reply));
    });
  });
}

}  // namespace ffdc
