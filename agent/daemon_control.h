// SPDX-License-Identifier: Apache-2.0
// Answers the management service from the agent: each call, on a gRPC thread,
// asks the loop's thread and waits for its answer within a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "control/backend.h"
#include "daemon.h"

namespace ffdc {

class DaemonControl final : public ControlBackend {
 public:
  explicit DaemonControl(Daemon& daemon) : daemon_(daemon) {}
  // The loop ended: calls that wait for it, and later ones, fail at once.
  void Stop() { stopping_ = true; }

  Result<v1::Status> GetStatus() override;
  Result<v1::ProbeList> ListProbes(uint32_t measure_ms) override;
  Result<v1::EventList> ListEvents(uint32_t limit) override;
  Result<v1::IncidentList> ListIncidents(uint32_t limit, const std::string& state) override;
  Result<v1::IncidentDetail> GetIncident(const std::string& id) override;
  Result<v1::VerifyReport> VerifyIncident(const std::string& id) override;
  Result<v1::Incident> PinIncident(const std::string& id, bool pinned) override;
  Result<v1::DeleteReport> DeleteIncident(const std::string& id) override;
  Result<v1::Incident> Dump(const std::string& reason, bool all_nodes,
                            const std::vector<std::string>& nodes) override;
  Result<v1::NodeList> ListNodes() override;
  Result<v1::ResourceList> ListResources() override;
  Result<v1::NodeList> RemoveNode(const std::string& name) override;
  Result<v1::ClusterView> GetCluster() override;
  Result<v1::JoinTicket> MakeToken(std::chrono::seconds valid) override;
  Result<v1::LeaveClusterReply> LeaveCluster() override;
  Result<v1::Config> GetConfig() override;
  Result<std::shared_ptr<void>> WatchEvents(std::function<void(const v1::Event&)> sink) override;
  Result<std::shared_ptr<void>> WatchCluster(std::function<void(const v1::News&)> sink) override;
  Result<Pull> PullIncident(const std::string& id) override;
  Result<v1::StoreStatus> InitStore() override;
  Result<Pull> RunStoreWork(StoreWork work, const std::string& from_url, const std::string& to_url) override;
  Result<std::shared_ptr<void>> WatchDevice(const std::string& name, v1::WatchDeviceReply* reply) override;

 private:
  template <class T>
  using Answer = std::function<void(Result<T>)>;

  // Runs `question` on the loop's thread; it gives its answer then or later.
  template <class T>
  Result<T> AskLater(std::function<void(Answer<T>)> question, std::chrono::seconds patience) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    std::future<Result<T>> answer = promise->get_future();
    daemon_.loop().Post([question = std::move(question), promise] {
      question([promise](Result<T> result) { promise->set_value(std::move(result)); });
    });
    const auto until = std::chrono::steady_clock::now() + patience;
    while (answer.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
      if (stopping_) return Fail("the agent is stopping: try again when it runs", ECANCELED);
      if (std::chrono::steady_clock::now() > until)
        return Fail("the agent did not answer within " + std::to_string(patience.count()) + " s: see its log",
                    ETIMEDOUT);
    }
    return answer.get();
  }

  template <class T>
  Result<T> Ask(std::function<Result<T>()> question) {
    return AskLater<T>([question = std::move(question)](const Answer<T>& answer) { answer(question()); },
                       std::chrono::seconds(10));
  }

  // Runs `start` on the loop's thread with a pipe's write end, and gives out the other end.
  using PipeDone = std::function<void(Result<>)>;
  Result<Pull> OpenPipe(const std::function<Result<uint64_t>(Fd input, PipeDone done)>& start);

  Daemon& daemon_;
  std::atomic<bool> stopping_{false};
};

}  // namespace ffdc
