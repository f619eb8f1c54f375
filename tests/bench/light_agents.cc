// SPDX-License-Identifier: Apache-2.0
// light_agents CA_CERT CA_KEY DB_URL ADDRESS FIRST_PORT COUNT ORIGIN ORIGIN_ADDRESS: members of a large
// cluster in one process. Each has a name, a certificate, a lease, the real peer service and real peer
// clients, and sends alerts on as the agent does; there is nothing to freeze or to collect. Prints "ready"
// once all are members, and of each first alert the incident, the node, and CLOCK_MONOTONIC when it would
// have frozen.
#include <absl/synchronization/mutex.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include "base/certificate_maker.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "cluster/db.h"
#include "cluster/membership.h"
#include "peer/alert_plan.h"
#include "peer/clients.h"
#include "peer/server.h"

namespace ffdc {
namespace {

constexpr const char* kCluster = "default";
constexpr std::chrono::milliseconds kReportDelay{100};  // as the agent's: what changes meanwhile goes along
constexpr std::chrono::seconds kReportAgain{1};

struct Ca {
  std::string certificate;
  std::string key;
};

Result<TlsIdentity> IdentityOf(const std::string& node, const Ca& ca) {
  FFDC_ASSIGN(std::string key, MakePrivateKey());
  FFDC_ASSIGN(const std::string request, MakeCertificateRequest(node, key));
  FFDC_ASSIGN(std::string certificate, SignCertificateRequest(request, node, ca.certificate, ca.key));
  return TlsIdentity{ca.certificate, std::move(certificate), std::move(key)};
}

class LightAgent {
 public:
  LightAgent(std::string name, std::string address, EventLoop& loop)
      : name_(std::move(name)), address_(std::move(address)), loop_(loop) {}

  Result<> Start(const Ca& ca) {
    FFDC_ASSIGN(const TlsIdentity tls, IdentityOf(name_, ca));
    PeerHandlers handlers;
    handlers.alert = [this](const std::string&, const v1::AlertRequest& request, const auto& answer) {
      OnAlert(request, answer);
    };
    // It has no incidents to tell of, and none that others would report to it.
    handlers.incidents = [](const std::string&, const v1::PeerIncidentsRequest&, const auto& answer) {
      answer(v1::PeerIncidents());
    };
    handlers.report = [](const std::string&, const v1::CaptureReport&, const auto& answer) {
      answer(v1::CaptureReportReply());
    };
    const auto dispatch = std::make_shared<PeerDispatch>(
        PeerDispatchOptions{kCluster, "light"}, loop_, std::move(handlers),
        [](const std::string& why) { std::fprintf(stderr, "%s\n", why.c_str()); });
    clients_ = PeerClients::Create({name_, kCluster, tls}, loop_, dispatch);
    FFDC_ASSIGN(server_, PeerServer::Start({address_, tls}, loop_, dispatch,
                                           [this](const auto& link) { clients_->AddLink(link); }));
    return {};
  }

  // others: the origin, and those that it may have to send alerts on to or get them from.
  void SetPeers(const std::map<std::string, std::string>& others) { clients_->SetPeers(others); }
  void SetMembers(const std::set<std::string>& members) { server_->SetMembers(members); }

  void Register(ClusterDb& db) const {
    v1::Member member;
    member.set_node(name_);
    member.set_address(address_);
    member.set_version("light");
    db.Put(Membership::MemberKey(name_), member.SerializeAsString());
    db.Hold(Membership::AliveKey(name_), name_);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void OnAlert(const v1::AlertRequest& request, const PeerAnswer<v1::AlertReply>& answer) {
    const uint64_t frozen_ns = SystemClock().MonotonicNs();
    v1::AlertReply reply;
    reply.set_duplicate(!seen_.insert(request.incident_id()).second);
    answer(reply);
    v1::AlertRequest forwarded = request;
    forwarded.clear_forward_to();
    forwarded.set_relayed_by(name_);
    for (const std::string& node : request.forward_to())
      clients_->Alert(node, forwarded, [](const Result<v1::AlertReply>&) {});
    if (reply.duplicate()) return;
    std::printf("%s %s %" PRIu64 "\n", request.incident_id().c_str(), name_.c_str(), frozen_ns);
    v1::CaptureReport report;
    report.set_cluster(kCluster);
    report.set_incident_id(request.incident_id());
    report.mutable_capture()->set_node(name_);
    report.mutable_capture()->set_state(v1::COLLECTING);
    loop_.After(kReportDelay, [this, origin = request.origin_node(), report] { Report(origin, report); });
  }

  void Report(const std::string& origin, const v1::CaptureReport& report) {
    clients_->Report(origin, report, [this, origin, report](const Result<v1::CaptureReportReply>& reply) {
      if (!reply) loop_.After(kReportAgain, [this, origin, report] { Report(origin, report); });
    });
  }

  std::string name_;
  std::string address_;
  EventLoop& loop_;
  std::set<std::string> seen_;
  std::unique_ptr<PeerClients> clients_;
  std::unique_ptr<PeerServer> server_;
};

using Agents = std::vector<std::unique_ptr<LightAgent>>;

// As the origin plans it, with everybody answering.
void Introduce(const Agents& agents, const std::string& origin, const std::string& origin_address) {
  std::map<std::string, std::string> addresses{{origin, origin_address}};
  std::vector<std::string> names;
  for (const auto& agent : agents) {
    addresses[agent->name()] = agent->address();
    names.push_back(agent->name());
  }
  std::set<std::string> members(names.begin(), names.end());
  members.insert(origin);
  for (const auto& agent : agents) agent->SetMembers(members);
  const AlertPlan plan = PlanAlert(names, 256, [](const std::string&) { return true; });
  std::map<std::string, std::map<std::string, std::string>> others;
  for (const auto& [head, group] : plan) {
    for (const std::string& node : group) {
      others[head][node] = addresses[node];
      others[node][head] = addresses[head];
    }
  }
  for (const auto& agent : agents) {
    others[agent->name()][origin] = origin_address;
    agent->SetPeers(others[agent->name()]);
  }
}

Result<> Run(char** arguments) {
  Ca ca;
  FFDC_ASSIGN(ca.certificate, ReadFile(arguments[1], 64u << 10));
  FFDC_ASSIGN(ca.key, ReadFile(arguments[2], 64u << 10));
  const std::string address = arguments[4];
  const int first_port = std::atoi(arguments[5]);
  const int count = std::atoi(arguments[6]);
  FFDC_ASSIGN(const auto loop, EventLoop::Create());
  FFDC_ASSIGN(const auto stop, loop->AddSignal(SIGTERM, [&] { loop->Stop(); }));
  Agents agents;
  for (int i = 1; i <= count; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "m%04d", i);
    agents.push_back(
        std::make_unique<LightAgent>(name, address + ":" + std::to_string(first_port + i), *loop));
    FFDC_TRY(agents.back()->Start(ca));
  }
  Introduce(agents, arguments[7], arguments[8]);
  DbCallbacks callbacks;
  callbacks.snapshot = [](const DbContent&) {};
  callbacks.changed = [](const std::string&, const std::optional<std::string>&) {};
  DbOptions options;
  options.url = arguments[3];
  options.cluster = kCluster;
  FFDC_ASSIGN(const auto db, OpenClusterDb(options, *loop, std::move(callbacks)));
  for (const auto& agent : agents) agent->Register(*db);
  db->Start();
  bool told = false;
  FFDC_ASSIGN(const auto look, loop->AddTimer(std::chrono::milliseconds(200), [&] {
    if (!told && db->reachable() && db->pending() == 0) {
      std::puts("ready");
      told = true;
    }
    std::fflush(stdout);  // not in the middle of a measurement, as a rule
  }));
  return loop->Run();
}

}  // namespace
}  // namespace ffdc

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fprintf(
        stderr, "usage: light_agents CA_CERT CA_KEY DB_URL ADDRESS FIRST_PORT COUNT ORIGIN ORIGIN_ADDRESS\n");
    return 2;
  }
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as the agent does
  const auto done = ffdc::Run(argv);
  if (!done) std::fprintf(stderr, "light_agents: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
