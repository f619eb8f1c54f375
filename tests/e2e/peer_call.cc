// SPDX-License-Identifier: Apache-2.0
// Calls the peer service of an agent as another node would: to say things twice, in another order, or wrong.
// peer_call ADDRESS NODE CA CERT KEY ping | alert CLUSTER INCIDENT ORIGIN SUBJECT TIMES | big BYTES
// Prints one line a call: "ok", "duplicate", or gRPC's code and words. Exit 0: every call was answered ok.
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "base/clock.h"
#include "base/uuid.h"
#include "ffdc/v1/peer.grpc.pb.h"

namespace {

std::string Read(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void Ignore(gpr_log_func_args* /*args*/) {}

bool Tell(const grpc::Status& status, const std::string& word) {
  if (status.ok()) {
    std::cout << word << "\n";
  } else {
    std::cout << status.error_code() << " " << status.error_message() << "\n";
  }
  return status.ok();
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

bool Ping(ffdc::v1::Peer::Stub& peer, const std::string& cluster) {
  grpc::ClientContext context;
  SetDeadline(context);
  ffdc::v1::PingRequest request;
  request.set_cluster(cluster);
  ffdc::v1::PingReply reply;
  const grpc::Status status = peer.Ping(&context, request, &reply);
  return Tell(status, "ok");
}

bool Alert(ffdc::v1::Peer::Stub& peer, char** argv) {
  ffdc::UuidGenerator ids(ffdc::SystemClock());
  ffdc::v1::AlertRequest request;
  request.set_cluster(argv[0]);
  request.set_incident_id(argv[1]);
  request.set_origin_node(argv[2]);
  ffdc::v1::Event& trigger = *request.mutable_trigger();
  trigger.set_id(ids.Next());
  trigger.set_kind("io.error");
  trigger.set_severity(ffdc::v1::CRITICAL);
  trigger.set_node(argv[2]);
  trigger.mutable_subject()->set_type("block_device");
  trigger.mutable_subject()->set_id(argv[3]);
  trigger.mutable_first_at()->set_seconds(ffdc::SystemClock().RealtimeNs() / ffdc::kNsPerSecond);
  *trigger.mutable_last_at() = trigger.first_at();
  trigger.set_count(1);
  trigger.set_summary("a read failed");
  bool ok = true;
  for (int i = 0; i < std::atoi(argv[4]); ++i) {
    grpc::ClientContext context;
    SetDeadline(context);
    ffdc::v1::AlertReply reply;
    const grpc::Status status = peer.Alert(&context, request, &reply);
    ok = Tell(status, reply.duplicate() ? "duplicate" : "ok") && ok;
  }
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) return 2;
  gpr_set_log_function(Ignore);
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(argv[2]);
  const auto channel = grpc::CreateCustomChannel(
      std::string("ipv4:") + argv[1], grpc::SslCredentials({Read(argv[3]), Read(argv[5]), Read(argv[4])}),
      arguments);
  const auto peer = ffdc::v1::Peer::NewStub(channel);
  const std::string command = argv[6];
  if (command == "ping") return Ping(*peer, argv[7]) ? 0 : 1;
  if (command == "big") return Ping(*peer, std::string(static_cast<size_t>(std::atol(argv[7])), 'x')) ? 0 : 1;
  if (command == "alert" && argc == 12) return Alert(*peer, argv + 7) ? 0 : 1;
  return 2;
}
