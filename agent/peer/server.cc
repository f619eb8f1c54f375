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

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/fd.h"
#include "ffdc/v1/peer.grpc.pb.h"
#include "peer/join_limit.h"
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
  switch (error.code) {
    case EINVAL:
      return {grpc::StatusCode::INVALID_ARGUMENT, error.message};
    case EACCES:
      return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    case EEXIST:
      return {grpc::StatusCode::ALREADY_EXISTS, error.message};
    case ENOTSUP:
      return {grpc::StatusCode::FAILED_PRECONDITION, error.message};
    default:
      return {grpc::StatusCode::INTERNAL, error.message};
  }
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

class Service final : public v1::Peer::CallbackService {
 public:
  Service(const PeerServerOptions& options, EventLoop& loop, PeerHandlers handlers, PeerRefused refused)
      : cluster_(options.cluster),
        version_(options.version),
        loop_(loop),
        handlers_(std::move(handlers)),
        refused_(std::move(refused)) {}

  void SetMembers(std::set<std::string> nodes) {
    const std::lock_guard lock(mutex_);
    members_ = std::move(nodes);
  }
  void SetStore(bool reachable, const std::string& store_id) {
    const std::lock_guard lock(mutex_);
    store_reachable_ = reachable;
    store_id_ = store_id;
  }
  // The loop has ended: what waits for it, and what comes now, fails.
  void Stop() {
    std::set<std::shared_ptr<WaitingCall>> calls;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      calls.swap(waiting_);
    }
    for (const auto& call : calls)
      call->Finish({grpc::StatusCode::UNAVAILABLE, "the agent is stopping"}, [] {});
  }
  PeerServerCounts counts() const { return {refused_count_, overloaded_, refused_joins_}; }

  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context, const v1::PingRequest* request,
                                 v1::PingReply* reply) override {
    const int64_t received_ns = SystemClock().RealtimeNs();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    std::string peer;
    const grpc::Status admitted = Admit(*context, CheckRequest(*request, cluster_), &peer);
    if (admitted.ok()) {
      reply->set_received_wall_ns(received_ns);
      reply->set_version(version_);
      {
        const std::lock_guard lock(mutex_);
        reply->set_store_reachable(store_reachable_);
        reply->set_store_id(store_id_);
      }
      reply->set_sent_wall_ns(SystemClock().RealtimeNs());
    }
    reactor->Finish(admitted);
    return reactor;
  }

  grpc::ServerUnaryReactor* Alert(grpc::CallbackServerContext* context, const v1::AlertRequest* request,
                                  v1::AlertReply* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_), handlers_.alert);
  }
  grpc::ServerUnaryReactor* ReportCapture(grpc::CallbackServerContext* context,
                                          const v1::CaptureReport* request,
                                          v1::CaptureReportReply* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_, NameOf(*context)),
                  handlers_.report);
  }
  grpc::ServerUnaryReactor* ListIncidents(grpc::CallbackServerContext* context,
                                          const v1::PeerIncidentsRequest* request,
                                          v1::PeerIncidents* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_), handlers_.incidents);
  }
  grpc::ServerUnaryReactor* ListNews(grpc::CallbackServerContext* context, const v1::PeerNewsRequest* request,
                                     v1::PeerNews* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_), handlers_.news);
  }
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                 v1::JoinReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const std::string from = context->peer();
    if (!join_limit_.Allows(from, SystemClock().MonotonicNs())) {
      ++refused_count_;  // not logged: it was, before the limit was reached
      ++refused_joins_;
      reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, JoinLimit::Words()});
      return reactor;
    }
    if (const auto checked = CheckRequest(*request); !checked) {
      RefuseJoin(from, checked.error());
      reactor->Finish(ToStatus(checked.error()));
      return reactor;
    }
    const auto refuse = [this, from](const Error& error) { RefuseJoin(from, error); };
    Forward(reactor, from, request, reply, handlers_.join, refuse);
    return reactor;
  }

  grpc::ServerUnaryReactor* OfferCapture(grpc::CallbackServerContext* context,
                                         const v1::CaptureOffer* request,
                                         v1::CaptureOfferReply* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_), handlers_.offer);
  }
  grpc::ServerUnaryReactor* SendCapture(grpc::CallbackServerContext* context, const v1::CapturePart* request,
                                        v1::CapturePartReply* reply) override {
    return Handle(context, request, reply, CheckRequest(*request, cluster_), handlers_.part);
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

  grpc::Status Refuse(const grpc::CallbackServerContext& context, const std::string& why) {
    ++refused_count_;
    refused_("a call from " + context.peer() + " is refused: " + why);
    return {grpc::StatusCode::PERMISSION_DENIED, why};
  }

  // Anybody can come without a certificate, as often as he likes: the log has one line a second of it.
  grpc::Status RefuseUnknown(const grpc::CallbackServerContext& context) {
    const std::string why = "it shows no certificate";
    const uint64_t now_ns = SystemClock().MonotonicNs();
    uint64_t last_ns = unknown_told_ns_;
    const bool tell =
        now_ns >= last_ns + kNsPerSecond && unknown_told_ns_.compare_exchange_strong(last_ns, now_ns);
    if (tell) return Refuse(context, why);
    ++refused_count_;
    return {grpc::StatusCode::PERMISSION_DENIED, why};
  }

  grpc::Status Admit(const grpc::CallbackServerContext& context, const Result<>& checked, std::string* peer) {
    *peer = NameOf(context);
    if (peer->empty()) {
      if (!context.auth_context()->IsPeerAuthenticated()) return RefuseUnknown(context);
      const auto names = context.auth_context()->GetPeerIdentity();
      const std::string name = names.empty() ? "" : std::string(names.front().data(), names.front().size());
      return Refuse(context,
                    "its certificate is for '" + name.substr(0, 64) + "', which is no member of the cluster");
    }
    if (!checked) return Refuse(context, checked.error().message);
    return grpc::Status::OK;
  }

  template <class Request, class Reply, class Handler>
  grpc::ServerUnaryReactor* Handle(grpc::CallbackServerContext* context, const Request* request, Reply* reply,
                                   const Result<>& checked, const Handler& handler) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    std::string peer;
    if (const grpc::Status admitted = Admit(*context, checked, &peer); !admitted.ok()) {
      reactor->Finish(admitted);
      return reactor;
    }
    Forward(reactor, peer, request, reply, handler, [](const Error&) {});
    return reactor;
  }

  // To the loop's thread. refused: the handler's error, before it is told.
  template <class Request, class Reply, class Handler, class Refused>
  void Forward(grpc::ServerUnaryReactor* reactor, const std::string& peer, const Request* request,
               Reply* reply, const Handler& handler, const Refused& refused) {
    const auto call = std::make_shared<WaitingCall>(reactor);
    if (!Enter(call)) {
      ++overloaded_;
      reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                       std::to_string(kMaxWaitingCalls) + " calls wait for this node already: try again"});
      return;
    }
    loop_.Post([this, call, peer, request, reply, &handler, refused] {
      // The call's own goes with its answer, after which the handler goes on.
      const Request asked = *request;
      handler(peer, asked, [this, call, reply, refused](Result<Reply> answer) {
        Leave(call);
        if (!answer) refused(answer.error());
        call->Finish(answer ? grpc::Status::OK : ToStatus(answer.error()), [&] {
          if (answer) *reply = std::move(*answer);
        });
      });
    });
  }

  void RefuseJoin(const std::string& from, const Error& error) {
    ++refused_count_;
    ++refused_joins_;
    join_limit_.Refused(from, SystemClock().MonotonicNs());
    refused_("a node at " + from + " may not join: " + error.message);
  }

  bool Enter(const std::shared_ptr<WaitingCall>& call) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || waiting_.size() >= kMaxWaitingCalls) return false;
    waiting_.insert(call);
    return true;
  }
  void Leave(const std::shared_ptr<WaitingCall>& call) {
    const std::lock_guard lock(mutex_);
    waiting_.erase(call);
  }

  const std::string cluster_;
  const std::string version_;
  EventLoop& loop_;
  const PeerHandlers handlers_;
  const PeerRefused refused_;
  std::atomic<uint64_t> refused_count_{0};
  std::atomic<uint64_t> overloaded_{0};
  std::atomic<uint64_t> refused_joins_{0};
  std::atomic<uint64_t> unknown_told_ns_{0};
  JoinLimit join_limit_;
  mutable std::mutex mutex_;
  std::set<std::string> members_;
  std::set<std::shared_ptr<WaitingCall>> waiting_;
  bool stopped_ = false;
  bool store_reachable_ = false;
  std::string store_id_;
};

class TlsPeerServer final : public PeerServer {
 public:
  TlsPeerServer(const PeerServerOptions& options, EventLoop& loop, PeerHandlers handlers, PeerRefused refused)
      : service_(options, loop, std::move(handlers), std::move(refused)) {}

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
        .RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr)
      return Fail("cannot listen for peers on " + options.listen + ": check peer.listen and [tls]");
    return {};
  }

  ~TlsPeerServer() override {
    if (server_ == nullptr) return;
    service_.Stop();
    server_->Shutdown(std::chrono::system_clock::now() + kStopLimit);
    server_->Wait();
  }

  void SetMembers(std::set<std::string> nodes) override { service_.SetMembers(std::move(nodes)); }
  void SetStore(bool reachable, const std::string& store_id) override {
    service_.SetStore(reachable, store_id);
  }
  PeerServerCounts counts() const override { return service_.counts(); }

 private:
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<PeerServer>> PeerServer::Start(const PeerServerOptions& options, EventLoop& loop,
                                                      PeerHandlers handlers, PeerRefused refused) {
  auto server = std::make_unique<TlsPeerServer>(options, loop, std::move(handlers), std::move(refused));
  FFDC_TRY(server->Listen(options));
  return std::unique_ptr<PeerServer>(std::move(server));
}

}  // namespace ffdc
