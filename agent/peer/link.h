// SPDX-License-Identifier: Apache-2.0
// One end of the link of a pair of nodes: calls both ways along one stream, whoever
// opened it. Answers come in any order. What is too large for a link is refused with
// OUT_OF_RANGE, and is to be called for directly.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "peer/dispatch.h"

namespace ffdc {

// Which of two nodes opens their link: of many nodes each opens about half of its own. Both get the same.
bool OpensLink(const std::string& node, const std::string& peer);

// When something arrived, both clocks.
struct Arrival {
  int64_t wall_ns = 0;
  uint64_t mono_ns = 0;
};
Arrival ArrivalNow();

// The stream, as the link sees it.
class LinkStream {
 public:
  virtual ~LinkStream() = default;
  // One at a time: the next after PeerLink::OnWritten. message lives until then.
  virtual void Write(const v1::LinkMessage& message) = 0;
  virtual void Cancel() = 0;  // ends it: OnClosed comes from another thread
};

// One late answer is everyday life of a busy node.
inline constexpr uint32_t kSilentAfter = 2;

class PeerLink : public std::enable_shared_from_this<PeerLink> {
 public:
  using Done = std::function<void(Result<v1::LinkMessage>, const Arrival&)>;

  // peer: who is at the other end. stream: until OnClosed.
  PeerLink(std::string peer, EventLoop& loop, std::shared_ptr<PeerDispatch> dispatch, LinkStream& stream);

  // Loop thread. done: once, there, not within this call. Errors carry a code of gRPC's.
  void Call(v1::LinkMessage request, std::chrono::milliseconds deadline, Done done);
  // It did not answer two calls in time, and nothing has come from it since.
  [[nodiscard]] bool silent() const { return unanswered_ >= kSilentAfter; }
  [[nodiscard]] bool closed() const;
  [[nodiscard]] const std::string& peer() const { return peer_; }
  void Close();  // the calls that are under way fail

  // Of the stream, any thread; none within one of its own functions.
  void OnMessage(const v1::LinkMessage& message);
  void OnWritten();
  void OnClosed(const std::string& why);

 private:
  template <class Request>
  void Serve(uint64_t call, const Request& request);
  [[nodiscard]] Result<> Takes(size_t bytes) const;
  void Send(v1::LinkMessage answer);
  void Expire(uint64_t call);
  void Answer(uint64_t call, Result<v1::LinkMessage> answer);

  const std::string peer_;
  EventLoop& loop_;
  const std::shared_ptr<PeerDispatch> dispatch_;
  std::atomic<uint32_t> unanswered_{0};
  mutable std::mutex mutex_;
  LinkStream* stream_;                 // nullptr: it has ended
  std::deque<v1::LinkMessage> queue_;  // the first is being written
  std::map<uint64_t, Done> waiting_;
  uint64_t last_call_ = 0;
};

// How a call and its reply lie in a LinkMessage.
template <class Request>
struct LinkCall;
template <>
struct LinkCall<v1::AlertRequest> {
  using Reply = v1::AlertReply;
  static v1::AlertRequest* Request(v1::LinkMessage& m) { return m.mutable_alert(); }
  static bool HasReply(const v1::LinkMessage& m) { return m.has_alert_reply(); }
  static Reply* MutableReply(v1::LinkMessage& m) { return m.mutable_alert_reply(); }
};
template <>
struct LinkCall<v1::PingRequest> {
  using Reply = v1::PingReply;
  static v1::PingRequest* Request(v1::LinkMessage& m) { return m.mutable_ping(); }
  static bool HasReply(const v1::LinkMessage& m) { return m.has_ping_reply(); }
  static Reply* MutableReply(v1::LinkMessage& m) { return m.mutable_ping_reply(); }
};
template <>
struct LinkCall<v1::CaptureReport> {
  using Reply = v1::CaptureReportReply;
  static v1::CaptureReport* Request(v1::LinkMessage& m) { return m.mutable_report(); }
  static bool HasReply(const v1::LinkMessage& m) { return m.has_report_reply(); }
  static Reply* MutableReply(v1::LinkMessage& m) { return m.mutable_report_reply(); }
};
template <>
struct LinkCall<v1::PeerIncidentsRequest> {
  using Reply = v1::PeerIncidents;
  static v1::PeerIncidentsRequest* Request(v1::LinkMessage& m) { return m.mutable_incidents(); }
  static bool HasReply(const v1::LinkMessage& m) { return m.has_incidents_reply(); }
  static Reply* MutableReply(v1::LinkMessage& m) { return m.mutable_incidents_reply(); }
};
template <>
struct LinkCall<v1::PeerNewsRequest> {
  using Reply = v1::PeerNews;
  static v1::PeerNewsRequest* Request(v1::LinkMessage& m) { return m.mutable_news(); }
  static bool HasReply(const v1::LinkMessage& m) { return m.has_news_reply(); }
  static Reply* MutableReply(v1::LinkMessage& m) { return m.mutable_news_reply(); }
};

}  // namespace ffdc
