// SPDX-License-Identifier: Apache-2.0
// The RPCs: checks what a client sends, asks the backend, turns errors into
// gRPC statuses. Runs on gRPC's threads.
#pragma once

#include <atomic>

#include "control/backend.h"
#include "control/lasting_call.h"
#include "ffdc/v1/control.grpc.pb.h"

namespace ffdc::control {

class ControlService final : public v1::Control::Service {
 public:
  explicit ControlService(ControlBackend& backend) : backend_(backend) {}

  void Stop() { stopping_ = true; }  // ends the calls that last, soon

  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status* reply) override;
  grpc::Status ListProbes(grpc::ServerContext*, const v1::ListProbesRequest*, v1::ProbeList* reply) override;
  grpc::Status ListEvents(grpc::ServerContext*, const v1::ListEventsRequest* request,
                          v1::EventList* reply) override;
  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest*,
                           grpc::ServerWriter<v1::Event>* writer) override;
  grpc::Status WatchCluster(grpc::ServerContext* context, const v1::WatchClusterRequest* request,
                            grpc::ServerWriter<v1::News>* writer) override;
  grpc::Status ListIncidents(grpc::ServerContext*, const v1::ListIncidentsRequest* request,
                             v1::IncidentList* reply) override;
  grpc::Status GetIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                           v1::IncidentDetail* reply) override;
  grpc::Status PullIncident(grpc::ServerContext* context, const v1::IncidentRef* request,
                            grpc::ServerWriter<v1::PullChunk>* writer) override;
  grpc::Status VerifyIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                              v1::VerifyReport* reply) override;
  grpc::Status PinIncident(grpc::ServerContext*, const v1::PinRequest* request, v1::Incident* reply) override;
  grpc::Status DeleteIncident(grpc::ServerContext*, const v1::IncidentRef* request,
                              v1::DeleteReport* reply) override;
  grpc::Status Dump(grpc::ServerContext*, const v1::DumpRequest* request, v1::Incident* reply) override;
  grpc::Status ListNodes(grpc::ServerContext*, const v1::ListNodesRequest*, v1::NodeList* reply) override;
  grpc::Status RemoveNode(grpc::ServerContext*, const v1::NodeRef* request, v1::NodeList* reply) override;
  grpc::Status GetCluster(grpc::ServerContext*, const v1::GetClusterRequest*,
                          v1::ClusterView* reply) override;
  grpc::Status MakeToken(grpc::ServerContext*, const v1::MakeTokenRequest* request,
                         v1::JoinTicket* reply) override;
  grpc::Status LeaveCluster(grpc::ServerContext*, const v1::LeaveClusterRequest*,
                            v1::LeaveClusterReply* reply) override;
  grpc::Status GetConfig(grpc::ServerContext*, const v1::GetConfigRequest*, v1::Config* reply) override;
  grpc::Status ListResources(grpc::ServerContext*, const v1::ListResourcesRequest*,
                             v1::ResourceList* reply) override;
  grpc::Status WatchDevice(grpc::ServerContext* context, const v1::WatchDeviceRequest* request,
                           grpc::ServerWriter<v1::WatchDeviceReply>* writer) override;
  // service_store.cc
  grpc::Status InitStore(grpc::ServerContext*, const v1::InitStoreRequest*, v1::StoreStatus* reply) override;
  grpc::Status ListStore(grpc::ServerContext* context, const v1::ListStoreRequest*,
                         grpc::ServerWriter<v1::StoreProgress>* writer) override;
  grpc::Status VerifyStore(grpc::ServerContext* context, const v1::VerifyStoreRequest*,
                           grpc::ServerWriter<v1::StoreProgress>* writer) override;
  grpc::Status CleanStore(grpc::ServerContext* context, const v1::CleanStoreRequest*,
                          grpc::ServerWriter<v1::StoreProgress>* writer) override;
  grpc::Status MigrateStore(grpc::ServerContext* context, const v1::MigrateStoreRequest* request,
                            grpc::ServerWriter<v1::StoreProgress>* writer) override;

 private:
  [[nodiscard]] bool Ended(const grpc::ServerContext& context) const {
    return stopping_ || context.IsCancelled();
  }

  grpc::Status RunStoreWork(const grpc::ServerContext& context, StoreWork work, const std::string& from_url,
                            const std::string& to_url, grpc::ServerWriter<v1::StoreProgress>& writer);

  ControlBackend& backend_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> streams_ = 0;
};

}  // namespace ffdc::control
