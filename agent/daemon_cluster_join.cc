// SPDX-License-Identifier: Apache-2.0
// How nodes come to a cluster, and how this one goes.
#include <spdlog/spdlog.h>

#include <cerrno>

#include "base/certificate_maker.h"
#include "base/clock.h"
#include "base/join_token.h"
#include "daemon_cluster.h"

namespace ffdc {
namespace {

constexpr std::chrono::milliseconds kLeaveDbStep{50};
constexpr int kLeaveDbSteps = 80;  // 4 s: as long as an election among the DB's servers takes, and more
constexpr std::chrono::milliseconds kDbStep{100};
constexpr int kDbSteps = 50;

}  // namespace

void DaemonCluster::MakeToken(std::chrono::seconds valid, std::function<void(Result<v1::JoinTicket>)> done) {
  if (!clustered()) return done(Fail("this node is in no cluster: see 'ffdcctl cluster init'", ENOTSUP));
  if (ca_key_.empty()) {
    return done(
        Fail("this node does not keep the CA's key (tls.ca_key): ask for a token on one that does, as "
             "'ffdcctl cluster status' there says",
             ENOTSUP));
  }
  // A person may ask right after the start, when nobody has asked the DB yet.
  WaitUntil([this] { return db_->reachable(); }, kDbStep, kDbSteps,
            [this, valid, done = std::move(done)] { AddToken(valid, done); });
}

void DaemonCluster::AddToken(std::chrono::seconds valid,
                             const std::function<void(Result<v1::JoinTicket>)>& done) {
  const auto ca = ReadCertificate(tls_.ca);
  if (!ca) return done(Unexpected(ca.error().In("the CA's certificate")));
  auto token = MakeJoinToken(ca->sha256);
  if (!token) return done(Unexpected(token.error()));
  v1::JoinTicket ticket;
  ticket.set_token(token->Text());
  ticket.set_address(own_.address());
  const int64_t now_ns = SystemClock().RealtimeNs();
  const int64_t expires_s = now_ns / kNsPerSecond + valid.count();
  ticket.mutable_expires_at()->set_seconds(expires_s);
  tokens_.Add(*db_, token->secret, self(), now_ns, expires_s * kNsPerSecond,
              [ticket, done](const Result<>& added) {
                if (!added) return done(Unexpected(added.error().In("cannot keep a token")));
                done(ticket);
              });
}

Result<> DaemonCluster::CheckJoin(const v1::JoinRequest& request, int64_t now_wall_ns) const {
  if (!clustered() || ca_key_.empty()) {
    return Fail("node '" + self() + "' does not keep the cluster's CA: join at the node that made the token",
                ENOTSUP);
  }
  if (!db_->reachable()) return Fail("no node can join while the cluster DB is away: " + db_->problem());
  // First, so that nobody without one learns more.
  FFDC_TRY(tokens_.Check(request.secret(), now_wall_ns));
  const v1::Member* member = membership_.Find(request.node());
  if (request.node() == self() || (member != nullptr && !member->stopped())) {
    return Fail(
        "there is a node '" + request.node() +
            "' in the cluster already: give this one another name (node.name); or, where it is the same "
            "machine, stop its agent, or 'ffdcctl node remove " +
            request.node() + "'",
        EEXIST);
  }
  return CheckCertificateRequest(request.request(), request.node());
}

void DaemonCluster::OnJoin(const std::string& from, const v1::JoinRequest& request,
                           const PeerAnswer<v1::JoinReply>& answer) {
  const int64_t now_ns = SystemClock().RealtimeNs();
  if (const auto checked = CheckJoin(request, now_ns); !checked) return answer(Unexpected(checked.error()));
  tokens_.Take(
      *db_, request.secret(), request.node(), now_ns, [this, from, request, answer](const Result<>& taken) {
        if (!taken) return answer(Unexpected(taken.error()));
        auto certificate = SignCertificateRequest(request.request(), request.node(), tls_.ca, ca_key_);
        if (!certificate) return answer(Unexpected(certificate.error()));
        v1::JoinReply reply;
        reply.set_certificate(*certificate);
        reply.set_ca(tls_.ca);
        reply.set_cluster(settings_.node.cluster);
        reply.set_db(settings_.cluster.db);
        spdlog::info("node {} at {} has a certificate of this cluster now", request.node(), from);
        answer(std::move(reply));
      });
}

void DaemonCluster::LeaveCluster(std::function<void(Result<v1::LeaveClusterReply>)> done) {
  if (!clustered())
    return done(Fail(left_
                         ? "this node left its cluster before: start its agent anew (systemctl restart ffdcd)"
                         : "this node is in no cluster",
                     EBUSY));
  if (leaving_) return done(Fail("this node is leaving, or its agent stops", EBUSY));
  if (!db_->reachable())
    return done(Fail("no node can leave while the cluster DB cannot be reached: " + db_->problem()));
  leaving_ = true;
  db_->Delete(Membership::MemberKey(self()));
  // Until the DB itself says so: before that, peers would take the end of the lease for a failure.
  WaitUntil([this] { return membership_.Find(self()) == nullptr; }, kLeaveDbStep, kLeaveDbSteps,
            [this, done = std::move(done)] { OnRemoved(done); });
}

void DaemonCluster::OnRemoved(const std::function<void(Result<v1::LeaveClusterReply>)>& done) {
  if (membership_.Find(self()) != nullptr) {
    leaving_ = false;
    Register();
    return done(Fail("the cluster DB did not confirm it in time: this node is still a member: try again"));
  }
  v1::LeaveClusterReply reply;
  reply.set_cluster(settings_.node.cluster);
  reply.set_keeps_ca(!ca_key_.empty());
  GoOnAlone();
  spdlog::warn("node {} left cluster {}", self(), settings_.node.cluster);
  done(std::move(reply));
}

void DaemonCluster::GoOnAlone() {
  db_->Release();
  left_ = true;
  // Conditions of peers end: nobody here follows them any more.
  life_cycle_.OnPrimary(false);
  life_cycle_.KeepOnly(Membership::Members(), SystemClock().MonotonicNs());
  alerts_.clear();
  reports_.clear();
  membership_.Snapshot({});
  SaveCopy();
  left_db_ = std::move(db_);
  DbCallbacks callbacks;
  callbacks.snapshot = [](const DbContent&) {};
  callbacks.changed = [](const std::string&, const std::optional<std::string>&) {};
  db_ = std::move(*OpenClusterDb({}, loop_, std::move(callbacks)));  // embedded: never fails
  db_->Start();
}

}  // namespace ffdc
