// SPDX-License-Identifier: Apache-2.0
#include "peer/clients.h"

#include <grpcpp/grpcpp.h>

#include <set>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/outstanding.h"
#include "ffdc/v1/peer.grpc.pb.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;

constexpr int kFirstReconnectMs = 200;
constexpr int kLastReconnectMs = 2000;
constexpr int kPingMs = 5000;
constexpr int kPingTimeoutMs = 2000;
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
  Clients(PeerClientsOptions options, EventLoop& loop) : options_(std::move(options)), loop_(loop) {}

  ~Clients() override {
    alive_.reset();
    for (const auto& context : contexts_->All()) context->TryCancel();
    (void)outstanding_->WaitNone(kCloseLimit);
  }

  void SetPeers(const std::map<std::string, std::string>& addresses) override {
    std::erase_if(peers_, [&](const auto& entry) {
      const auto wanted = addresses.find(entry.first);
      return wanted == addresses.end() || wanted->second != entry.second.address;
    });
    for (const auto& [node, address] : addresses) {
      if (!peers_.contains(node)) peers_[node] = Connect(node, address);
    }
  }

  void SetTls(TlsIdentity tls) override {
    options_.tls = std::move(tls);
    for (auto& [node, peer] : peers_) peer.stub = Connect(node, peer.address).stub;
  }

  void Alert(const std::string& node, const v1::AlertRequest& request, Done<v1::AlertReply> done) override {
    Call<v1::AlertRequest, v1::AlertReply>(
        node, request, kAlertDeadline, [](auto* stub, auto... a) { stub->Alert(a...); }, std::move(done));
  }
  void Report(const std::string& node, const v1::CaptureReport& request,
              Done<v1::CaptureReportReply> done) override {
    Call<v1::CaptureReport, v1::CaptureReportReply>(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ReportCapture(a...); },
        std::move(done));
  }
  void Incidents(const std::string& node, const v1::PeerIncidentsRequest& request,
                 Done<v1::PeerIncidents> done) override {
    Call<v1::PeerIncidentsRequest, v1::PeerIncidents>(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ListIncidents(a...); },
        std::move(done));
  }

  void News(const std::string& node, const v1::PeerNewsRequest& request, Done<v1::PeerNews> done) override {
    Call<v1::PeerNewsRequest, v1::PeerNews>(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->ListNews(a...); }, std::move(done));
  }

  void Offer(const std::string& node, const v1::CaptureOffer& request,
             Done<v1::CaptureOfferReply> done) override {
    Call<v1::CaptureOffer, v1::CaptureOfferReply>(
        node, request, kHandoffDeadline, [](auto* stub, auto... a) { stub->OfferCapture(a...); },
        std::move(done));
  }
  void SendPart(const std::string& node, const v1::CapturePart& request,
                Done<v1::CapturePartReply> done) override {
    Call<v1::CapturePart, v1::CapturePartReply>(
        node, request, kHandoffDeadline, [](auto* stub, auto... a) { stub->SendCapture(a...); },
        std::move(done));
  }

  void Ping(const std::string& node, Done<v1::PingReply> done) override {
    v1::PingRequest request;
    request.set_cluster(options_.cluster);
    ClockExchange exchange;
    exchange.sent_wall_ns = SystemClock().RealtimeNs();
    Call<v1::PingRequest, v1::PingReply>(
        node, request, kQueryDeadline, [](auto* stub, auto... a) { stub->Ping(a...); },
        [this, node, exchange, done = std::move(done)](Result<v1::PingReply> reply, const Moment& returned) {
          const auto peer = peers_.find(node);
          if (reply && peer != peers_.end()) {
            ClockExchange full = exchange;
            full.received_wall_ns = reply->received_wall_ns();
            full.answered_wall_ns = reply->sent_wall_ns();
            full.returned_wall_ns = returned.wall_ns;
            full.returned_mono_ns = returned.mono_ns;
            peer->second.clock.Add(full);
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
  struct Peer {
    std::string address;
    std::shared_ptr<v1::Peer::Stub> stub;
    ClockOffsets clock;
  };
  struct Moment {
    int64_t wall_ns = 0;
    uint64_t mono_ns = 0;
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

  Peer Connect(const std::string& node, const std::string& address) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(node);
    arguments.SetMaxReceiveMessageSize(kMaxPeerReplyBytes);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kLastReconnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    const bool is_ipv6 = address.starts_with('[');
    const auto channel = grpc::CreateCustomChannel(
        (is_ipv6 ? "ipv6:" : "ipv4:") + address,
        grpc::SslCredentials({options_.tls.ca, options_.tls.key, options_.tls.certificate}), arguments);
    (void)channel->GetState(true);  // warm before it is needed
    return {address, v1::Peer::NewStub(channel), {}};
  }

  template <class Request, class Reply, class Method, class Answer>
  void Call(const std::string& node, const Request& request, milliseconds deadline, const Method& method,
            Answer done) {
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
             const Moment returned{SystemClock().RealtimeNs(), SystemClock().MonotonicNs()};
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
  static void Give(const Answer& done, Result<Reply> reply, const Moment& returned) {
    if constexpr (std::is_invocable_v<const Answer&, Result<Reply>, const Moment&>) {
      done(std::move(reply), returned);
    } else {
      done(std::move(reply));
    }
  }

  PeerClientsOptions options_;
  EventLoop& loop_;
  std::map<std::string, Peer> peers_;
  std::shared_ptr<Outstanding> outstanding_ = std::make_shared<Outstanding>();
  std::shared_ptr<Contexts> contexts_ = std::make_shared<Contexts>();
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace

std::unique_ptr<PeerClients> PeerClients::Create(PeerClientsOptions options, EventLoop& loop) {
  return std::make_unique<Clients>(std::move(options), loop);
}

}  // namespace ffdc
