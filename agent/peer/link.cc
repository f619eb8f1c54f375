// SPDX-License-Identifier: Apache-2.0
#include "peer/link.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/fs.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

constexpr size_t kMaxQueued = 256;
constexpr size_t kMaxMessageBytes =
    kMaxPeerRequestBytes - 1024;  // of its body; the rest is room for the frame

v1::LinkMessage Failure(uint64_t call, const Error& error) {
  v1::LinkMessage message;
  message.set_call(call);
  message.mutable_failure()->set_code(error.code);
  message.mutable_failure()->set_message(error.message);
  return message;
}

Unexpected TooLarge(size_t bytes) {
  return Fail(std::to_string(bytes) + " bytes are more than a link carries", grpc::StatusCode::OUT_OF_RANGE);
}

}  // namespace

bool OpensLink(const std::string& node, const std::string& peer) {
  const auto [first, second] = std::minmax(node, peer);
  Xxh3 sum;
  sum.Update(first.data(), first.size() + 1);  // with its end, which no name has within
  sum.Update(second.data(), second.size());
  const char last = sum.HexDigest().back();
  return (last % 2 == 0) == (node == first);  // so it is for half of the digits
}

Arrival ArrivalNow() { return {SystemClock().RealtimeNs(), SystemClock().MonotonicNs()}; }

PeerLink::PeerLink(std::string peer, EventLoop& loop, std::shared_ptr<PeerDispatch> dispatch,
                   LinkStream& stream)
    : peer_(std::move(peer)), loop_(loop), dispatch_(std::move(dispatch)), stream_(&stream) {}

void PeerLink::Call(v1::LinkMessage request, std::chrono::milliseconds deadline, Done done) {
  std::unique_lock lock(mutex_);
  if (const auto taken = Takes(request.ByteSizeLong()); !taken)
    return loop_.Post([done = std::move(done), error = taken.error()] { done(Unexpected(error), {}); });
  const uint64_t call = ++last_call_;
  request.set_call(call);
  waiting_[call] = std::move(done);
  queue_.push_back(std::move(request));
  if (queue_.size() == 1) stream_->Write(queue_.front());
  lock.unlock();
  loop_.After(deadline, [weak = weak_from_this(), call] {
    if (const auto link = weak.lock()) link->Expire(call);
  });
}

// Locked.
Result<> PeerLink::Takes(size_t bytes) const {
  if (stream_ == nullptr)
    return Fail("cannot be reached: its connection has just ended", grpc::StatusCode::UNAVAILABLE);
  if (bytes > kMaxMessageBytes) return TooLarge(bytes);
  if (queue_.size() >= kMaxQueued)
    return Fail("it takes nothing: " + std::to_string(kMaxQueued) + " messages wait",
                grpc::StatusCode::RESOURCE_EXHAUSTED);
  return {};
}

bool PeerLink::closed() const {
  const std::lock_guard lock(mutex_);
  return stream_ == nullptr;
}

void PeerLink::Close() {
  const std::lock_guard lock(mutex_);
  if (stream_ != nullptr) stream_->Cancel();
}

void PeerLink::OnMessage(const v1::LinkMessage& message) {
  unanswered_ = 0;
  switch (message.body_case()) {
    case v1::LinkMessage::kAlert:
      return Serve(message.call(), message.alert());
    case v1::LinkMessage::kPing:
      return Serve(message.call(), message.ping());
    case v1::LinkMessage::kReport:
      return Serve(message.call(), message.report());
    case v1::LinkMessage::kIncidents:
      return Serve(message.call(), message.incidents());
    case v1::LinkMessage::kNews:
      return Serve(message.call(), message.news());
    case v1::LinkMessage::kFailure:
      return Answer(message.call(), Fail(message.failure().message(), message.failure().code()));
    case v1::LinkMessage::BODY_NOT_SET:
      // A call of a newer agent's, or its answer: who asked is told, who did not ask does not care.
      return Send(
          Failure(message.call(), {"this agent does not know the call", grpc::StatusCode::UNIMPLEMENTED}));
    default:
      return Answer(message.call(), message);
  }
}

void PeerLink::OnWritten() {
  const std::lock_guard lock(mutex_);
  queue_.pop_front();
  if (stream_ != nullptr && !queue_.empty()) stream_->Write(queue_.front());
}

void PeerLink::OnClosed(const std::string& why) {
  std::map<uint64_t, Done> waiting;
  {
    const std::lock_guard lock(mutex_);
    stream_ = nullptr;
    waiting.swap(waiting_);
  }
  for (auto& [call, done] : waiting) {
    loop_.Post([done = std::move(done), why] {
      done(Fail("cannot be reached: " + why, grpc::StatusCode::UNAVAILABLE), {});
    });
  }
}

template <class Request>
void PeerLink::Serve(uint64_t call, const Request& request) {
  using Call = LinkCall<Request>;
  dispatch_->Ask(
      peer_, request, PeerAnswer<typename Call::Reply>([weak = weak_from_this(), call](auto reply) {
        const auto link = weak.lock();
        if (!link) return;
        if (!reply) return link->Send(Failure(call, reply.error()));
        v1::LinkMessage answer;
        answer.set_call(call);
        *Call::MutableReply(answer) = std::move(*reply);
        const size_t bytes = answer.ByteSizeLong();
        link->Send(bytes <= kMaxMessageBytes ? std::move(answer) : Failure(call, TooLarge(bytes).value()));
      }));
}

void PeerLink::Send(v1::LinkMessage answer) {
  const std::lock_guard lock(mutex_);
  if (stream_ == nullptr) return;
  // Somebody who asks and does not read.
  if (queue_.size() >= kMaxQueued) return stream_->Cancel();
  queue_.push_back(std::move(answer));
  if (queue_.size() == 1) stream_->Write(queue_.front());
}

void PeerLink::Expire(uint64_t call) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiting_.contains(call)) return;
  }
  ++unanswered_;
  Answer(call, Fail("no answer in time", grpc::StatusCode::DEADLINE_EXCEEDED));
}

void PeerLink::Answer(uint64_t call, Result<v1::LinkMessage> answer) {
  const Arrival arrival = ArrivalNow();
  Done done;
  {
    const std::lock_guard lock(mutex_);
    const auto waiting = waiting_.find(call);
    if (waiting == waiting_.end()) return;  // too late
    done = std::move(waiting->second);
    waiting_.erase(waiting);
  }
  loop_.Post([done = std::move(done), answer = std::move(answer), arrival]() mutable {
    done(std::move(answer), arrival);
  });
}

}  // namespace ffdc
