// SPDX-License-Identifier: Apache-2.0
#include "cluster/etcd_db.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "cluster/etcd_client.h"

namespace ffdc {
namespace {

namespace pb = etcdserverpb;
using std::chrono::milliseconds;

constexpr int64_t kLeaseSeconds = 3;
constexpr milliseconds kKeepAliveInterval{1000};
constexpr milliseconds kCallDeadline{2000};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLastRetry{2000};
constexpr int64_t kPageKeys = 500;
constexpr int kMaxReplyBytes = 64 << 20;
constexpr int kMaxOperations = 64;  // of one transaction (etcd's own limit is 128)
constexpr size_t kMaxTransactionBytes = 512u << 10;
constexpr size_t kMaxPending = 4096;
constexpr int kPingMs = 2000;  // HTTP/2: a server that stopped is left within these two
constexpr int kPingTimeoutMs = 1000;
constexpr milliseconds kCloseLimit{3000};

using WatchStream = EtcdStream<pb::WatchRequest, pb::WatchResponse>;
using LeaseStream = EtcdStream<pb::LeaseKeepAliveRequest, pb::LeaseKeepAliveResponse>;

// The key after every key that begins with prefix.
std::string EndOf(std::string prefix) {
  ++prefix.back();
  return prefix;
}

std::string Words(const grpc::Status& status) {
  return status.error_message().empty() ? "error " + std::to_string(status.error_code())
                                        : status.error_message();
}

class EtcdDb final : public ClusterDb {
 public:
  EtcdDb(const DbOptions& options, std::vector<std::string> targets, EventLoop& loop, DbCallbacks callbacks)
      : prefix_("/ffdc/v1/" + options.cluster + "/"),
        targets_(std::move(targets)),
        loop_(loop),
        callbacks_(std::move(callbacks)),
        is_tls_(options.url.starts_with("etcds:")) {
    if (!is_tls_) credentials_ = grpc::InsecureChannelCredentials();
    EtcdDb::SetTls(options.ca, options.certificate, options.key);
  }

  ~EtcdDb() override {
    alive_.reset();
    EndSession();
    // A call of its own thread may be on its way: what it uses must not go before.
    (void)outstanding_->WaitNone(kCloseLimit);
  }

  void Start() override { Connect(); }

  void Put(const std::string& key, const std::string& value) override { Queue(key, value); }
  void Delete(const std::string& key) override { Queue(key, std::nullopt); }

  void Hold(const std::string& key, const std::string& value) override {
    held_[key] = value;
    if (reachable_) PutHeld();
  }
  void Campaign(const std::string& key, const std::string& value) override {
    wanted_[key] = value;
    if (reachable_) CampaignFor(key);
  }
  void Exchange(const std::string& key, const std::optional<std::string>& expected,
                const std::optional<std::string>& value, std::function<void(Result<bool>)> done) override {
    if (!reachable_) {
      return loop_.Post([alive = std::weak_ptr<void>(alive_), problem = problem_, done = std::move(done)] {
        if (!alive.expired()) done(Fail(problem, EAGAIN));
      });
    }
    pb::TxnRequest request;
    pb::Compare& same = *request.add_compare();
    same.set_key(prefix_ + key);
    if (expected) {
      same.set_target(pb::Compare::VALUE);
      same.set_value(*expected);
    } else {
      same.set_target(pb::Compare::CREATE);
      same.set_create_revision(0);
    }
    if (value) {
      AddPut(&request, key, *value, 0);
    } else {
      request.add_success()->mutable_request_delete_range()->set_key(prefix_ + key);
    }
    // Answered also where the session ends meanwhile: somebody waits.
    EtcdCall<pb::TxnRequest, pb::TxnResponse>(
        loop_, outstanding_, alive_, kCallDeadline, request, [this](auto... a) { kv_->async()->Txn(a...); },
        [done = std::move(done)](const grpc::Status& status, const pb::TxnResponse& reply) {
          if (!status.ok()) return done(Fail("the cluster DB did not answer: " + Words(status), EAGAIN));
          done(reply.succeeded());
        });
  }
  void Release() override {
    held_.clear();
    wanted_.clear();
    if (lease_id_ == 0) return;
    pb::LeaseRevokeRequest request;
    request.set_id(lease_id_);
    lease_id_ = 0;
    Call<pb::LeaseRevokeRequest, pb::LeaseRevokeResponse>(
        request, [this](auto... a) { lease_->async()->LeaseRevoke(a...); },
        [](const grpc::Status&, const pb::LeaseRevokeResponse&) {});
  }

  void SetTls(const std::string& ca, const std::string& certificate, const std::string& key) override {
    if (is_tls_) credentials_ = grpc::SslCredentials({ca, key, certificate});
  }

  bool reachable() const override { return reachable_; }
  const std::string& problem() const override { return problem_; }
  size_t pending() const override { return waiting_.size() + writing_.size(); }

 private:
  using Changes = std::map<std::string, std::optional<std::string>>;

  template <class Request, class Reply, class Method>
  void Call(const Request& request, const Method& method,
            std::function<void(const grpc::Status&, const Reply&)> done) {
    EtcdCall<Request, Reply>(loop_, outstanding_, session_, kCallDeadline, request, method, std::move(done));
  }

  // --- the session ---------------------------------------------------------

  void EndSession() {
    if (watch_stream_) watch_stream_->Cancel();
    if (lease_stream_) lease_stream_->Cancel();
    watch_stream_.reset();
    lease_stream_.reset();
    session_.reset();
    reachable_ = false;
    waiting_.merge(writing_);  // a newer value of the same key stays
    writing_.clear();
    writes_ = false;
  }

  void Failed(const std::string& why) {
    problem_ = "cluster DB " + target_ + ": " + why;
    EndSession();
    loop_.After(retry_after_, [this, alive = std::weak_ptr<void>(alive_)] {
      if (!alive.expired()) Connect();
    });
    retry_after_ = std::min(retry_after_ * 2, kLastRetry);
  }

  void Connect() {
    target_ = targets_[next_target_++ % targets_.size()];
    session_ = std::make_shared<int>();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxReplyBytes);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    // Each session a connection of its own: the one before may be half dead.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(target_, credentials_, arguments);
    // The process's first one stays. With the last channel gRPC 1.51 ends the threads of its callbacks, and
    // counts one reference too few if another channel starts them again meanwhile (CallbackAlternativeCQ).
    static const std::shared_ptr<grpc::Channel> kept = channel;
    kv_ = pb::KV::NewStub(channel);
    lease_ = pb::Lease::NewStub(channel);
    watch_ = pb::Watch::NewStub(channel);
    pb::LeaseGrantRequest request;
    request.set_ttl(kLeaseSeconds);
    Call<pb::LeaseGrantRequest, pb::LeaseGrantResponse>(
        request, [this](auto... a) { lease_->async()->LeaseGrant(a...); },
        [this](const grpc::Status& status, const pb::LeaseGrantResponse& reply) {
          if (!status.ok()) return Failed("no lease: " + Words(status));
          if (!reply.error().empty()) return Failed("no lease: " + reply.error());
          lease_id_ = reply.id();
          content_.clear();
          ReadPage(prefix_, 0);
        });
  }

  void ReadPage(const std::string& from, int64_t revision) {
    pb::RangeRequest request;
    request.set_key(from);
    request.set_range_end(EndOf(prefix_));
    request.set_limit(kPageKeys);
    request.set_revision(revision);
    Call<pb::RangeRequest, pb::RangeResponse>(
        request, [this](auto... a) { kv_->async()->Range(a...); },
        [this, revision](const grpc::Status& status, const pb::RangeResponse& reply) {
          if (!status.ok()) return Failed("cannot read it: " + Words(status));
          const int64_t at = revision != 0 ? revision : reply.header().revision();
          for (const pb::KeyValue& entry : reply.kvs()) {
            if (entry.key().size() > prefix_.size())
              content_[entry.key().substr(prefix_.size())] = entry.value();
          }
          if (reply.more() && !reply.kvs().empty())
            return ReadPage(reply.kvs(reply.kvs_size() - 1).key() + '\0', at);
          Watch(at + 1);
        });
  }

  void Watch(int64_t from_revision) {
    watch_stream_ = std::make_shared<WatchStream>(
        loop_, outstanding_, [this](const pb::WatchResponse& reply) { Heard(reply); },
        [this](const grpc::Status& status) { Failed("the watch ended: " + Words(status)); });
    // A server without a leader ends the watch instead of letting it stand still.
    watch_stream_->context().AddMetadata("hasleader", "true");
    watch_->async()->Watch(&watch_stream_->context(), watch_stream_.get());
    pb::WatchRequest request;
    pb::WatchCreateRequest& create = *request.mutable_create_request();
    create.set_key(prefix_);
    create.set_range_end(EndOf(prefix_));
    create.set_start_revision(from_revision);
    watch_stream_->Begin(request);
  }

  void Heard(const pb::WatchResponse& reply) {
    if (reply.canceled()) return Failed("the watch was cancelled: " + reply.cancel_reason());
    if (reply.created()) Established();
    for (const pb::WatchEvent& event : reply.events()) {
      if (event.kv().key().size() <= prefix_.size()) continue;
      const std::string key = event.kv().key().substr(prefix_.size());
      const bool deleted = event.type() == pb::WatchEvent::DELETE;
      callbacks_.changed(key, deleted ? std::nullopt : std::optional(event.kv().value()));
      if (deleted && wanted_.contains(key)) CampaignFor(key);
      // The lease of a session before took it along.
      if (deleted && held_.contains(key)) PutHeld();
    }
  }

  void Established() {
    lease_stream_ = std::make_shared<LeaseStream>(
        loop_, outstanding_,
        [this](const pb::LeaseKeepAliveResponse& reply) {
          if (reply.ttl() <= 0) return Failed("the lease ran out");
          kept_at_ = std::chrono::steady_clock::now();
        },
        [this](const grpc::Status& status) { Failed("the lease's stream ended: " + Words(status)); });
    lease_stream_->context().AddMetadata("hasleader", "true");
    lease_->async()->LeaseKeepAlive(&lease_stream_->context(), lease_stream_.get());
    kept_at_ = std::chrono::steady_clock::now();
    asked_at_ = kept_at_;
    lease_stream_->Begin(KeepAlive());
    KeepLease(session_);
    reachable_ = true;
    problem_ = dropped_ == 0
                   ? ""
                   : "cluster DB: " + std::to_string(dropped_) + " writes were dropped while it was away";
    retry_after_ = kFirstRetry;
    const DbContent content = std::move(content_);
    content_.clear();
    callbacks_.snapshot(content);
    PutHeld();
    for (const auto& [key, value] : wanted_) CampaignFor(key);
    Flush();
  }

  pb::LeaseKeepAliveRequest KeepAlive() const {
    pb::LeaseKeepAliveRequest request;
    request.set_id(lease_id_);
    return request;
  }

  void KeepLease(const std::weak_ptr<void>& session) {
    loop_.After(kKeepAliveInterval, [this, session] {
      if (session.expired() || !lease_stream_) return;
      const auto now = std::chrono::steady_clock::now();
      // Where this node itself stood still, the answers may lie here unread.
      const bool late = now - std::exchange(asked_at_, now) > kKeepAliveInterval * 2;
      if (!late && now - kept_at_ > std::chrono::seconds(kLeaseSeconds))
        return Failed("no answer for " + std::to_string(kLeaseSeconds) + " s");
      lease_stream_->Write(KeepAlive());
      KeepLease(session);
    });
  }

  // --- writes --------------------------------------------------------------

  void Queue(const std::string& key, std::optional<std::string> value) {
    if (waiting_.size() >= kMaxPending && !waiting_.contains(key)) {
      ++dropped_;
      return;
    }
    waiting_[key] = std::move(value);
    if (reachable_) Flush();
  }

  void AddPut(pb::TxnRequest* transaction, const std::string& key, const std::string& value,
              int64_t lease) const {
    pb::PutRequest& put = *transaction->add_success()->mutable_request_put();
    put.set_key(prefix_ + key);
    put.set_value(value);
    put.set_lease(lease);
  }

  void Transact(const pb::TxnRequest& request, std::function<void(const pb::TxnResponse&)> done) {
    Call<pb::TxnRequest, pb::TxnResponse>(
        request, [this](auto... a) { kv_->async()->Txn(a...); },
        [this, done = std::move(done)](const grpc::Status& status, const pb::TxnResponse& reply) {
          if (!status.ok()) return Failed("cannot write: " + Words(status));
          done(reply);
        });
  }

  void PutHeld() {
    if (held_.empty() || lease_id_ == 0) return;
    pb::TxnRequest request;
    for (const auto& [key, value] : held_) AddPut(&request, key, value, lease_id_);
    Transact(request, [](const pb::TxnResponse&) {});
  }

  // Where nobody holds it; or where this node does, by a lease of a session before.
  void CampaignFor(const std::string& key) {
    if (lease_id_ == 0) return;
    pb::TxnRequest request;
    pb::Compare& free = *request.add_compare();
    free.set_key(prefix_ + key);
    free.set_target(pb::Compare::CREATE);
    free.set_create_revision(0);
    AddPut(&request, key, wanted_[key], lease_id_);
    Transact(request, [this, key](const pb::TxnResponse& reply) {
      const auto wanted = wanted_.find(key);
      if (reply.succeeded() || wanted == wanted_.end()) return;
      pb::TxnRequest mine;
      pb::Compare& same = *mine.add_compare();
      same.set_key(prefix_ + key);
      same.set_target(pb::Compare::VALUE);
      same.set_value(wanted->second);
      AddPut(&mine, key, wanted->second, lease_id_);
      Transact(mine, [](const pb::TxnResponse&) {});
    });
  }

  void Flush() {
    if (writes_ || waiting_.empty()) return;
    pb::TxnRequest request;
    size_t bytes = 0;
    while (!waiting_.empty() && request.success_size() < kMaxOperations && bytes < kMaxTransactionBytes) {
      auto change = waiting_.extract(waiting_.begin());
      if (change.mapped()) {
        AddPut(&request, change.key(), *change.mapped(), 0);
        bytes += change.mapped()->size();
      } else {
        request.add_success()->mutable_request_delete_range()->set_key(prefix_ + change.key());
      }
      writing_.insert(std::move(change));
    }
    writes_ = true;
    Transact(request, [this](const pb::TxnResponse&) {
      writes_ = false;
      writing_.clear();
      Flush();
    });
  }

  const std::string prefix_;
  const std::vector<std::string> targets_;
  EventLoop& loop_;
  DbCallbacks callbacks_;
  const bool is_tls_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::shared_ptr<Outstanding> outstanding_ = std::make_shared<Outstanding>();
  std::shared_ptr<int> alive_ = std::make_shared<int>();

  size_t next_target_ = 0;
  std::string target_;
  milliseconds retry_after_ = kFirstRetry;
  std::shared_ptr<int> session_;  // lives as long as one does
  std::unique_ptr<pb::KV::Stub> kv_;
  std::unique_ptr<pb::Lease::Stub> lease_;
  std::unique_ptr<pb::Watch::Stub> watch_;
  std::shared_ptr<WatchStream> watch_stream_;
  std::shared_ptr<LeaseStream> lease_stream_;
  std::chrono::steady_clock::time_point kept_at_;   // the last answer
  std::chrono::steady_clock::time_point asked_at_;  // the last question
  int64_t lease_id_ = 0;
  DbContent content_;
  bool reachable_ = false;
  std::string problem_ = "cluster DB: not asked yet";

  DbContent held_;
  DbContent wanted_;
  Changes waiting_;
  Changes writing_;
  bool writes_ = false;
  uint64_t dropped_ = 0;
};

}  // namespace

Result<std::unique_ptr<ClusterDb>> MakeEtcdDb(const DbOptions& options, EventLoop& loop,
                                              DbCallbacks callbacks) {
  const size_t slashes = options.url.find("://");
  const auto endpoints = slashes == std::string::npos
                             ? std::nullopt
                             : ParseEndpoints(std::string_view(options.url).substr(slashes + 3));
  if (!endpoints) return Fail("'" + options.url + "' is no URL of etcd: use etcd://10.0.0.1:2379", EINVAL);
  std::vector<std::string> targets;
  for (const Endpoint& endpoint : *endpoints)
    targets.push_back((endpoint.address.family == AF_INET6 ? "ipv6:" : "ipv4:") + endpoint.Name());
  return std::unique_ptr<ClusterDb>(
      std::make_unique<EtcdDb>(options, std::move(targets), loop, std::move(callbacks)));
}

}  // namespace ffdc
