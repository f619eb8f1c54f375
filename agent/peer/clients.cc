// SPDX-License-Identifier: Apache-2.0
#include "peer/clients.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/outstanding.h"
#include "ffdc/v1/peer.grpc.pb.h"
#include "peer/link_streams.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;

// A peer that opens the link does so when it has heard of this node: pings wait for it as long.
constexpr milliseconds kLinkDue{3000};
constexpr milliseconds kLookForLink{200};
// And who opens it lets the peer hear of this node before.
constexpr milliseconds kOpenAfter{300};
constexpr std::chrono::seconds kReopen{1};
constexpr std::chrono::seconds kLastReopen{8};
constexpr int kIdleMs = 30000;
constexpr int kFirstReconnectMs = 200;
constexpr int kLastReconnectMs = 2000;
constexpr int kPingMs = 5000;
constexpr int kPingTimeoutMs = 2000;
// gRPC makes that one the TCP_USER_TIMEOUT of its sockets, too. Who tries to connect waits longer, so that it
// is the kernel that gives up: that says why, and is seen (bpf/sockets.bpf.c).
constexpr int kConnectMs = kPingTimeoutMs + 1000;
constexpr milliseconds kCloseLimit{3000};

std::string Words(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "no answer in time";
    case grpc::StatusCode::UNAVAILABLE:
      return "cannot be reached: " + status.error_message();
    default:
      return status.error_message();
  }
}

class Clients final : public PeerClients {
 public:
  Clients(PeerClientsOptions options, EventLoop& loop, std::shared_ptr<PeerDispatch> dispatch)
      : options_(std::move(options)), loop_(loop), dispatch_(std::move(dispatch)) {}

  ~Clients() override {
    alive_.reset();
    for (const auto& context : contexts_->All()) context->TryCancel();
    (void)outstanding_->WaitNone(kCloseLimit);
  }

  void SetPeers(const std::map<std::string, std::string>& addresses) override {
    std::erase_if(peers_, [&](const auto& entry) {
      const auto wanted = addresses.find(entry.first);
      const bool gone = wanted == addresses.end() || wanted->second != entry.second.address;
      if (gone) Disconnect(entry.first, entry.second);
      return gone;
    });
    for (const auto& [node, address] : addresses) {
      if (!peers_.contains(node))
        Connect(node, peers_[node] = {address, nullptr, {}, Now() + kLinkDue, {}, nullptr});
    }
  }

  void SetTls(TlsIdentity tls) override {
    options_.tls = std::move(tls);
    for (auto& [node, peer] : peers_) {
      Disconnect(node, peer);
      Connect(node, peer);
    }
  }

  void AddLink(std::shared_ptr<PeerLink> link) override {
    const std::string& node = link->peer();
    DropLink(node);
    links_[node] = std::move(link);
  }

  void Alert(const std::string& node, const v1::AlertRequest& request, Done<v1::AlertReply> done) override {
    Call(
        node, request, kAlertDeadline, [](auto* stub, auto... a) { stub->Alert(a...); }, std::move(done));
  }
  void Report(const std::string& node, const v1::CaptureReport& request,
              Done<v1::CaptureReportReply> done) override {
    Call(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ReportCapture(a...); },
        std::move(done));
  }
  void Incidents(const std::string& node, const v1::PeerIncidentsRequest& request,
                 Done<v1::PeerIncidents> done) override {
    Call(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ListIncidents(a...); },
        std::move(done));
  }
  void News(const std::string& node, const v1::PeerNewsRequest& request, Done<v1::PeerNews> done) override {
    Call(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ListNews(a...); }, std::move(done));
  }
  void Offer(const std::string& node, const v1::CaptureOffer& request,
             Done<v1::CaptureOfferReply> done) override {
    CallDirectly<v1::CaptureOffer, v1::CaptureOfferReply>(
        node, request, kHandoffDeadline, [](auto* stub, auto... a) { stub->OfferCapture(a...); },
        std::move(done));
  }
  void SendPart(const std::string& node, const v1::CapturePart& request,
                Done<v1::CapturePartReply> done) override {
    CallDirectly<v1::CapturePart, v1::CapturePartReply>(
        node, request, kHandoffDeadline, [](auto* stub, auto... a) { stub->SendCapture(a...); },
        std::move(done));
  }

  void Ping(const std::string& node, Done<v1::PingReply> done) override {
    const auto peer = peers_.find(node);
    if (peer != peers_.end() && !LinkTo(node) && Now() < peer->second.link_due) {
      return loop_.After(kLookForLink,
                         [this, alive = std::weak_ptr<int>(alive_), node, done = std::move(done)] {
                           if (!alive.expired()) Ping(node, done);
                         });
    }
    v1::PingRequest request;
    request.set_cluster(options_.cluster);
    ClockExchange exchange;
    exchange.sent_wall_ns = SystemClock().RealtimeNs();
    Call(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->Ping(a...); },
        [this, node, exchange, done = std::move(done)](Result<v1::PingReply> reply, const Arrival& returned) {
          const auto asked = peers_.find(node);
          if (reply && asked != peers_.end()) {
            ClockExchange full = exchange;
            full.received_wall_ns = reply->received_wall_ns();
            full.answered_wall_ns = reply->sent_wall_ns();
            full.returned_wall_ns = returned.wall_ns;
            full.returned_mono_ns = returned.mono_ns;
            asked->second.clock.Add(full);
          }
          done(std::move(reply));
        });
  }

  std::optional<PeerClock> ClockOf(const std::string& node) const override {
    const auto peer = peers_.find(node);
    if (peer == peers_.end()) return std::nullopt;
    return peer->second.clock.At(SystemClock().MonotonicNs());
  }

 private:
  using Moment = std::chrono::steady_clock::time_point;
  static Moment Now() { return std::chrono::steady_clock::now(); }

  struct Peer {
    std::string address;
    std::shared_ptr<v1::Peer::Stub> stub;
    ClockOffsets clock;
    Moment link_due;
    std::chrono::seconds reopen;
    std::shared_ptr<PeerLink> opened;  // perhaps not admitted yet
  };
  // Those of calls under way, to end them.
  class Contexts {
   public:
    void Add(const std::shared_ptr<grpc::ClientContext>& context) {
      const std::lock_guard lock(mutex_);
      contexts_.insert(context);
    }
    void Remove(const std::shared_ptr<grpc::ClientContext>& context) {
      const std::lock_guard lock(mutex_);
      contexts_.erase(context);
    }
    std::set<std::shared_ptr<grpc::ClientContext>> All() {
      const std::lock_guard lock(mutex_);
      return contexts_;
    }

   private:
    std::mutex mutex_;
    std::set<std::shared_ptr<grpc::ClientContext>> contexts_;
  };

  void Connect(const std::string& node, Peer& peer) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(node);
    arguments.SetMaxReceiveMessageSize(kMaxPeerReplyBytes);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, kIdleMs);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    const bool is_ipv6 = peer.address.starts_with('[');
    const auto channel = grpc::CreateCustomChannel(
        (is_ipv6 ? "ipv6:" : "ipv4:") + peer.address,
        grpc::SslCredentials({options_.tls.ca, options_.tls.key, options_.tls.certificate}), arguments);
    peer.stub = v1::Peer::NewStub(channel);
    peer.reopen = kReopen;
    if (!OpensLink(options_.node, node)) return;
    (void)channel->GetState(true);  // warm before it is needed
    OpenLinkAfter(kOpenAfter, node, peer.stub);
  }

  void Disconnect(const std::string& node, const Peer& peer) {
    if (peer.opened) peer.opened->Close();
    DropLink(node);
  }

  // Waits for the connection, and tries again when the link has ended: as long as this is the peer's stub.
  void OpenLink(const std::string& node, const std::shared_ptr<v1::Peer::Stub>& stub) {
    const auto context = std::make_shared<grpc::ClientContext>();
    context->set_wait_for_ready(true);
    contexts_->Add(context);
    outstanding_->Begin();
    auto* stream = new OpenedLink(  // NOLINT(cppcoreguidelines-owning-memory): it goes by itself
        context,
        [this, &loop = loop_, alive = std::weak_ptr<int>(alive_), node, stub] {
          loop.Post([this, alive, node, stub] {
            if (alive.expired() || StubOf(node) != stub) return;
            peers_[node].reopen = kReopen;
            AddLink(peers_[node].opened);
          });
        },
        [this, &loop = loop_, outstanding = outstanding_, contexts = contexts_, context,
         alive = std::weak_ptr<int>(alive_), node, stub] {
          contexts->Remove(context);
          loop.Post([this, alive, node, stub] {
            if (!alive.expired()) Reopen(node, stub);
          });
          outstanding->End();
        });
    const auto link = std::make_shared<PeerLink>(node, loop_, dispatch_, *stream);
    peers_[node].opened = link;
    stub->async()->OpenLink(context.get(), stream);
    stream->Begin(link);
  }

  void Reopen(const std::string& node, const std::shared_ptr<v1::Peer::Stub>& stub) {
    if (StubOf(node) != stub) return;
    auto& reopen = peers_[node].reopen;
    OpenLinkAfter(reopen, node, stub);
    reopen = std::min(2 * reopen, kLastReopen);
  }
  void OpenLinkAfter(milliseconds delay, const std::string& node,
                     const std::shared_ptr<v1::Peer::Stub>& stub) {
    loop_.After(delay, [this, alive = std::weak_ptr<int>(alive_), node, stub] {
      if (!alive.expired() && StubOf(node) == stub) OpenLink(node, stub);
    });
  }

  [[nodiscard]] std::shared_ptr<v1::Peer::Stub> StubOf(const std::string& node) const {
    const auto peer = peers_.find(node);
    return peer == peers_.end() ? nullptr : peer->second.stub;
  }

  // nullptr: there is none that answers.
  std::shared_ptr<PeerLink> LinkTo(const std::string& node) {
    const auto link = links_.find(node);
    if (link == links_.end()) return nullptr;
    if (!link->second->closed()) return link->second->silent() ? nullptr : link->second;
    links_.erase(link);
    return nullptr;
  }
  void DropLink(const std::string& node) {
    const auto link = links_.find(node);
    if (link == links_.end()) return;
    link->second->Close();
    links_.erase(link);
  }

  template <class Request, class Method, class Answer>
  void Call(const std::string& node, const Request& request, milliseconds deadline, const Method& method,
            Answer done) {
    using OnLink = LinkCall<Request>;
    using Reply = typename OnLink::Reply;
    const auto link = LinkTo(node);
    if (!link || !peers_.contains(node))
      return CallDirectly<Request, Reply>(node, request, deadline, method, std::move(done));
    v1::LinkMessage message;
    *OnLink::Request(message) = request;
    link->Call(std::move(message), deadline,
               [this, alive = std::weak_ptr<int>(alive_), node, request, deadline, method,
                done = std::move(done)](Result<v1::LinkMessage> answer, const Arrival& arrival) {
                 if (alive.expired()) return;
                 if (!answer && IsForDirectCall(answer.error()))
                   return CallDirectly<Request, Reply>(node, request, deadline, method, done);
                 if (!answer) return Give<Reply>(done, Unexpected(answer.error()), arrival);
                 if (!OnLink::HasReply(*answer))
                   return Give<Reply>(done, Fail("it answers something else"), arrival);
                 Give<Reply>(done, std::move(*OnLink::MutableReply(*answer)), arrival);
               });
  }
  // Larger than a link carries, or unknown to an older agent's; or the link ended under the call, which
  // says nothing of the peer yet. All calls may come twice.
  static bool IsForDirectCall(const Error& error) {
    return error.code == grpc::StatusCode::OUT_OF_RANGE || error.code == grpc::StatusCode::UNIMPLEMENTED ||
           error.code == grpc::StatusCode::UNAVAILABLE;
  }

  template <class Request, class Reply, class Method, class Answer>
  void CallDirectly(const std::string& node, const Request& request, milliseconds deadline,
                    const Method& method, Answer done) {
    struct State {
      std::shared_ptr<v1::Peer::Stub> stub;
      grpc::ClientContext context;
      Request request;
      Reply reply;
    };
    const auto peer = peers_.find(node);
    if (peer == peers_.end()) {
      return loop_.Post([alive = std::weak_ptr<int>(alive_), node, done = std::move(done)]() mutable {
        if (!alive.expired()) Give<Reply>(done, Fail("node " + node + " is no member"), {});
      });
    }
    auto state = std::make_shared<State>();
    state->stub = peer->second.stub;
    state->request = request;
    state->context.set_deadline(std::chrono::system_clock::now() + deadline);
    outstanding_->Begin();
    // Shares the state's life.
    const std::shared_ptr<grpc::ClientContext> context(state, &state->context);
    contexts_->Add(context);
    method(state->stub->async(), &state->context, &state->request, &state->reply,
           [&loop = loop_, outstanding = outstanding_, contexts = contexts_, context,
            alive = std::weak_ptr<int>(alive_), state, done = std::move(done)](const grpc::Status& status) {
             const Arrival returned = ArrivalNow();
             contexts->Remove(context);
             loop.Post([alive, state, status, returned, done]() mutable {
               if (alive.expired()) return;
               if (status.ok()) return Give<Reply>(done, std::move(state->reply), returned);
               Give<Reply>(done, Fail(Words(status), static_cast<int>(status.error_code())), returned);
             });
             outstanding->End();
           });
  }

  template <class Reply, class Answer>
  static void Give(const Answer& done, Result<Reply> reply, const Arrival& returned) {
    if constexpr (std::is_invocable_v<const Answer&, Result<Reply>, const Arrival&>) {
      done(std::move(reply), returned);
    } else {
      done(std::move(reply));
    }
  }

  PeerClientsOptions options_;
  EventLoop& loop_;
  const std::shared_ptr<PeerDispatch> dispatch_;
  std::map<std::string, Peer> peers_;
  std::map<std::string, std::shared_ptr<PeerLink>> links_;
  std::shared_ptr<Outstanding> outstanding_ = std::make_shared<Outstanding>();
  std::shared_ptr<Contexts> contexts_ = std::make_shared<Contexts>();
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace

std::unique_ptr<PeerClients> PeerClients::Create(PeerClientsOptions options, EventLoop& loop,
                                                 std::shared_ptr<PeerDispatch> dispatch) {
  return std::make_unique<Clients>(std::move(options), loop, std::move(dispatch));
}

}  // namespace ffdc
