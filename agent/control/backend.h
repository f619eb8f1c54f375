// SPDX-License-Identifier: Apache-2.0
// What the management service asks of the agent; daemon.cc answers. Called on
// gRPC threads, several at a time; every call returns within its own deadline.
// Error::code becomes the gRPC status: ENOENT NOT_FOUND, EINVAL
// INVALID_ARGUMENT, ETIMEDOUT DEADLINE_EXCEEDED, EBUSY and ENOTSUP FAILED_PRECONDITION,
// ECANCELED (the agent is stopping) UNAVAILABLE, else INTERNAL.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc {

// Work on all of the store.
enum class StoreWork { kList, kVerify, kClean, kMigrate };

// What comes in here the service has checked: limits of events are set, states exist.
class ControlBackend {
 public:
  virtual ~ControlBackend() = default;

  virtual Result<v1::Status> GetStatus() = 0;
  // measure_ms: counts and times the programs' runs for so long before it answers.
  virtual Result<v1::ProbeList> ListProbes(uint32_t measure_ms) = 0;
  virtual Result<v1::EventList> ListEvents(uint32_t limit) = 0;
  virtual Result<v1::IncidentList> ListIncidents(uint32_t limit, const std::string& state) = 0;
  virtual Result<v1::IncidentDetail> GetIncident(const std::string& id) = 0;
  virtual Result<v1::VerifyReport> VerifyIncident(const std::string& id) = 0;
  virtual Result<v1::Incident> PinIncident(const std::string& id, bool pinned) = 0;
  virtual Result<v1::DeleteReport> DeleteIncident(const std::string& id) = 0;
  // nodes: besides this one; all: every one.
  virtual Result<v1::Incident> Dump(const std::string& reason, bool all_nodes,
                                    const std::vector<std::string>& nodes) = 0;
  virtual Result<v1::NodeList> ListNodes() = 0;
  virtual Result<v1::NodeList> RemoveNode(const std::string& name) = 0;
  virtual Result<v1::ClusterView> GetCluster() = 0;
  virtual Result<v1::JoinTicket> MakeToken(std::chrono::seconds valid) = 0;
  virtual Result<v1::LeaveClusterReply> LeaveCluster() = 0;
  virtual Result<v1::Config> GetConfig() = 0;
  virtual Result<v1::ResourceList> ListResources() = 0;

  // sink is called on the agent's loop thread for every new or changed event until the handle dies.
  virtual Result<std::shared_ptr<void>> WatchEvents(std::function<void(const v1::Event&)> sink) = 0;
  // The same of the whole cluster: news of this node at once, of the others as soon as they arrive.
  virtual Result<std::shared_ptr<void>> WatchCluster(std::function<void(const v1::News&)> sink) = 0;
  struct Pull {
    Fd pipe;  // read end; the archive, then end of file
    uint64_t total_bytes = 0;
    std::function<Result<>()> finish;  // after end of file: did the writer succeed?
  };
  virtual Result<Pull> PullIncident(const std::string& id) = 0;
  virtual Result<v1::StoreStatus> InitStore() = 0;
  // The pipe gives delimited v1::StoreProgress messages. from, to: of a migration.
  virtual Result<Pull> RunStoreWork(StoreWork work, const std::string& from_url,
                                    const std::string& to_url) = 0;
  // Watched until the handle dies.
  virtual Result<std::shared_ptr<void>> WatchDevice(const std::string& name, v1::WatchDeviceReply* reply) = 0;
};

}  // namespace ffdc
