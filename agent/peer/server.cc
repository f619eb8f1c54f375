// SPDX-License-Identifier: Apache-2.0
#include "peer/server.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/fd.h"
#include "ffdc/v1/peer.grpc.pb.h"
#include "peer/join_limit.h"
#include "peer/link_streams.h"
#include "peer/requests.h"

namespace ffdc {
namespace {

constexpr size_t kMaxMemoryBytes = 64u << 20;
constexpr int kMaxStreamsOfConnection = 64;
constexpr int kPingIntervalMs = 1000;
constexpr std::chrono::milliseconds kStopLimit{500};

// A call that waits for the loop's thread. Finished once, by the loop or by the server's end.
class WaitingCall {
 public:
  explicit WaitingCall(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  // fill runs only if the call is still open: what it writes to is gone afterwards.
  template <class Fill>
  void Finish(const grpc::Status& status, const Fill& fill) {
    const std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    fill();
    reactor_->Finish(status);
    reactor_ = nullptr;
  }

 private:
  std::mutex mutex_;
  grpc::ServerUnaryReactor* reactor_;
};

grpc::Status ToStatus(const Error& error) {
  return {static_cast<grpc::StatusCode>(error.code), error.message};
}

// gRPC only says that listening failed; a bind of our own says why.
Result<> TryBind(const std::string& listen_at) {
  const auto endpoint = ParseEndpoint(listen_at);
  if (!endpoint) return Fail("peer.listen '" + listen_at + "' is no address with a port", EINVAL);
  const bool is_ipv6 = endpoint->address.family == AF_INET6;
  const Fd fd(socket(endpoint->address.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("cannot make a socket for peers");
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in ipv4{};
  sockaddr_in6 ipv6{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(endpoint->port);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = ipv4.sin_port;
  std::memcpy(&ipv4.sin_addr, endpoint->address.bytes.data(), sizeof ipv4.sin_addr);
  std::memcpy(&ipv6.sin6_addr, endpoint->address.bytes.data(), sizeof ipv6.sin6_addr);
  const auto* address =
      is_ipv6 ? reinterpret_cast<const sockaddr*>(&ipv6) : reinterpret_cast<const sockaddr*>(&ipv4);
  if (bind(fd.get(), address, is_ipv6 ? sizeof ipv6 : sizeof ipv4) != 0)
    return FailErrno("cannot listen for peers on " + listen_at + " (peer.listen)");
  return {};
}

class Service final : public v1::Peer::CallbackService, public std::enable_shared_from_this<Service> {
 public:
  Service(EventLoop& loop, std::shared_ptr<PeerDispatch> dispatch, PeerServer::Linked linked)
      : loop_(loop), dispatch_(std::move(dispatch)), linked_(std::move(linked)) {}

  void SetMembers(std::set<std::string> nodes) {
    std::vector<std::shared_ptr<PeerLink>> strangers;
    {
      const std::lock_guard lock(mutex_);
      members_ = std::move(nodes);
      for (const auto& weak : links_) {
        const auto link = weak.lock();
        if (link && !members_.contains(link->peer())) strangers.push_back(link);
      }
    }
    for (const auto& link : strangers) link->Close();
  }
  // The loop has ended: what waits for it, and what comes now, fails.
  void Stop() {
    std::set<std::shared_ptr<WaitingCall>> calls;
    std::vector<std::weak_ptr<PeerLink>> links;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      calls.swap(waiting_);
      links.swap(links_);
    }
    for (const auto& call : calls)
      call->Finish({grpc::StatusCode::UNAVAILABLE, "the agent is stopping"}, [] {});
    for (const auto& weak : links) {
      if (const auto link = weak.lock()) link->Close();
    }
  }

  LinkMessages* OpenLink(grpc::CallbackServerContext* context) override {
    std::string peer;
    if (const grpc::Status admitted = Admit(*context, &peer); !admitted.ok())
      return new RefusedLink(admitted);        // NOLINT(cppcoreguidelines-owning-memory): it goes by itself
    auto* stream = new AcceptedLink(context);  // NOLINT(cppcoreguidelines-owning-memory): as well
    const auto link = std::make_shared<PeerLink>(peer, loop_, dispatch_, *stream);
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(links_, [](const auto& weak) { return weak.expired(); });
      links_.push_back(link);
      if (stopped_) context->TryCancel();
    }
    stream->Begin(link);
    loop_.Post([linked = linked_, link] { linked(link); });
    return stream;
  }

  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context, const v1::PingRequest* request,
                                 v1::PingReply* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* Alert(grpc::CallbackServerContext* context, const v1::AlertRequest* request,
                                  v1::AlertReply* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* ReportCapture(grpc::CallbackServerContext* context,
                                          const v1::CaptureReport* request,
                                          v1::CaptureReportReply* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* ListIncidents(grpc::CallbackServerContext* context,
                                          const v1::PeerIncidentsRequest* request,
                                          v1::PeerIncidents* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* ListNews(grpc::CallbackServerContext* context, const v1::PeerNewsRequest* request,
                                     v1::PeerNews* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                 v1::JoinReply* reply) override {
    const std::string from = context->peer();
    if (!join_limit_.Allows(from, SystemClock().MonotonicNs())) {
      dispatch_->RefuseJoin(from, "", true);  // not logged: it was, before the limit was reached
      return Finished(context, {grpc::StatusCode::RESOURCE_EXHAUSTED, JoinLimit::Words()});
    }
    const auto refuse = [self = shared_from_this(), from](const std::string& why) {
      self->join_limit_.Refused(from, SystemClock().MonotonicNs());
      self->dispatch_->RefuseJoin(from, why);
    };
    if (const auto checked = CheckRequest(*request); !checked) {
      refuse(checked.error().message);
      return Finished(context, {grpc::StatusCode::INVALID_ARGUMENT, checked.error().message});
    }
    const auto [reactor, answer] = Wait(context, reply);
    if (answer) {
      dispatch_->AskToJoin(from, *request, [answer = answer, refuse](Result<v1::JoinReply> joined) {
        const bool busy = !joined && joined.error().code == grpc::StatusCode::RESOURCE_EXHAUSTED;
        if (!joined && !busy) refuse(joined.error().message);
        answer(std::move(joined));
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* OfferCapture(grpc::CallbackServerContext* context,
                                         const v1::CaptureOffer* request,
                                         v1::CaptureOfferReply* reply) override {
    return Handle(context, request, reply);
  }
  grpc::ServerUnaryReactor* SendCapture(grpc::CallbackServerContext* context, const v1::CapturePart* request,
                                        v1::CapturePartReply* reply) override {
    return Handle(context, request, reply);
  }

 private:
  // The name in the caller's certificate that is a member's; empty: it has none.
  std::string NameOf(const grpc::CallbackServerContext& context) {
    const auto names = context.auth_context()->GetPeerIdentity();
    const std::lock_guard lock(mutex_);
    for (const grpc::string_ref& name : names) {
      std::string text(name.data(), name.size());
      if (members_.contains(text)) return text;
    }
    return {};
  }

  grpc::Status Refuse(const grpc::CallbackServerContext& context, const std::string& why,
                      bool quiet = false) {
    dispatch_->Refuse(context.peer(), why, quiet);
    return {grpc::StatusCode::PERMISSION_DENIED, why};
  }

  // Anybody can come without a certificate, as often as he likes: the log has one line a second of it.
  grpc::Status RefuseUnknown(const grpc::CallbackServerContext& context) {
    const uint64_t now_ns = SystemClock().MonotonicNs();
    uint64_t last_ns = unknown_told_ns_;
    const bool tell =
        now_ns >= last_ns + kNsPerSecond && unknown_told_ns_.compare_exchange_strong(last_ns, now_ns);
    return Refuse(context, "it shows no certificate", !tell);
  }

  grpc::Status Admit(const grpc::CallbackServerContext& context, std::string* peer) {
    *peer = NameOf(context);
    if (!peer->empty()) return grpc::Status::OK;
    if (!context.auth_context()->IsPeerAuthenticated()) return RefuseUnknown(context);
    const auto names = context.auth_context()->GetPeerIdentity();
    const std::string name = names.empty() ? "" : std::string(names.front().data(), names.front().size());
    return Refuse(context,
                  "its certificate is for '" + name.substr(0, 64) + "', which is no member of the cluster");
  }

  static grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                            const grpc::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  template <class Request, class Reply>
  grpc::ServerUnaryReactor* Handle(grpc::CallbackServerContext* context, const Request* request,
                                   Reply* reply) {
    std::string peer;
    if (const grpc::Status admitted = Admit(*context, &peer); !admitted.ok())
      return Finished(context, admitted);
    const auto [reactor, answer] = Wait(context, reply);
    if (answer) dispatch_->Ask(peer, *request, answer);
    return reactor;
  }

  // A call that is answered later. Without an answer: it has ended already, as this service has.
  template <class Reply>
  std::pair<grpc::ServerUnaryReactor*, PeerAnswer<Reply>> Wait(grpc::CallbackServerContext* context,
                                                               Reply* reply) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto call = std::make_shared<WaitingCall>(reactor);
    if (!Enter(call)) {
      reactor->Finish({grpc::StatusCode::UNAVAILABLE, "the agent is stopping"});
      return {reactor, nullptr};
    }
    return {reactor, [self = weak_from_this(), call, reply](Result<Reply> answer) {
              if (const auto service = self.lock()) service->Leave(call);
              call->Finish(answer ? grpc::Status::OK : ToStatus(answer.error()), [&] {
                if (answer) *reply = std::move(*answer);
              });
            }};
  }

  bool Enter(const std::shared_ptr<WaitingCall>& call) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    waiting_.insert(call);
    return true;
  }
  void Leave(const std::shared_ptr<WaitingCall>& call) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(call);
  }

  EventLoop& loop_;
  const std::shared_ptr<PeerDispatch> dispatch_;
  const PeerServer::Linked linked_;
  std::atomic<uint64_t> unknown_told_ns_{0};
  JoinLimit join_limit_;
  std::mutex mutex_;
  std::set<std::string> members_;
  std::set<std::shared_ptr<WaitingCall>> waiting_;
  std::vector<std::weak_ptr<PeerLink>> links_;
  bool stopped_ = false;
};

class TlsPeerServer final : public PeerServer {
 public:
  TlsPeerServer(EventLoop& loop, std::shared_ptr<PeerDispatch> dispatch, Linked linked)
      : service_(std::make_shared<Service>(loop, std::move(dispatch), std::move(linked))) {}

  Result<> Listen(const PeerServerOptions& options) {
    FFDC_TRY(TryBind(options.listen));
    // Whoever joins has none yet. Every call but that one asks for it (Admit).
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = options.tls.ca;
    // The CA's goes along: a joiner knows it by its fingerprint.
    tls.pem_key_cert_pairs.push_back({options.tls.key, options.tls.certificate + "\n" + options.tls.ca});
    grpc::ResourceQuota quota("ffdc-peer");
    quota.Resize(kMaxMemoryBytes);
    grpc::ServerBuilder builder;
    builder.SetResourceQuota(quota)
        .SetMaxReceiveMessageSize(kMaxPeerRequestBytes)
        .SetMaxSendMessageSize(kMaxPeerReplyBytes)
        .AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0)
        .AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsOfConnection)
        .AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMs)
        .AddListeningPort(options.listen, grpc::SslServerCredentials(tls))
        .RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr)
      return Fail("cannot listen for peers on " + options.listen + ": check peer.listen and [tls]");
    return {};
  }

  ~TlsPeerServer() override {
    if (server_ == nullptr) return;
    service_->Stop();
    server_->Shutdown(std::chrono::system_clock::now() + kStopLimit);
    server_->Wait();
  }

  void SetMembers(std::set<std::string> nodes) override { service_->SetMembers(std::move(nodes)); }

 private:
  std::shared_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<PeerServer>> PeerServer::Start(const PeerServerOptions& options, EventLoop& loop,
                                                      std::shared_ptr<PeerDispatch> dispatch, Linked linked) {
  auto server = std::make_unique<TlsPeerServer>(loop, std::move(dispatch), std::move(linked));
  FFDC_TRY(server->Listen(options));
  return std::unique_ptr<PeerServer>(std::move(server));
}

}  // namespace ffdc
