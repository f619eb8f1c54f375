// SPDX-License-Identifier: Apache-2.0
#include "daemon_control.h"

#include <fcntl.h>

#include <map>

#include "base/clock.h"

namespace ffdc {
namespace {

// A store that hangs costs the caller this long, never the agent.
constexpr std::chrono::seconds kStorePatience{90};
constexpr std::chrono::seconds kLoopPatience{10};

}  // namespace

Result<v1::Status> DaemonControl::GetStatus() {
  return Ask<v1::Status>([this] { return daemon_.GetStatus(); });
}

Result<v1::ProbeList> DaemonControl::ListProbes(uint32_t measure_ms) {
  if (measure_ms == 0) return Ask<v1::ProbeList>([this] { return daemon_.ListProbes(); });
  const std::chrono::milliseconds time(measure_ms);
  return AskLater<v1::ProbeList>(
      [this, time](const Answer<v1::ProbeList>& answer) { daemon_.MeasureProbes(time, answer); },
      std::chrono::ceil<std::chrono::seconds>(time) + kLoopPatience);
}

Result<v1::EventList> DaemonControl::ListEvents(uint32_t limit) {
  return Ask<v1::EventList>([this, limit] { return daemon_.ListEvents(limit); });
}

Result<v1::IncidentList> DaemonControl::ListIncidents(uint32_t limit, const std::string& state) {
  return AskLater<v1::IncidentList>(
      [=, this](const Answer<v1::IncidentList>& answer) {
        daemon_.cluster().ListIncidents(limit, state, answer);
      },
      kLoopPatience);
}

Result<v1::IncidentDetail> DaemonControl::GetIncident(const std::string& id) {
  return AskLater<v1::IncidentDetail>(
      [this, id](const Answer<v1::IncidentDetail>& answer) {
        daemon_.cluster().FindIncident(id, [this, answer](Result<v1::IncidentDetail> found) {
          if (!found) return answer(Unexpected(found.error()));
          const std::string whole_id = found->incident().id();
          daemon_.shipper().Manifests(whole_id, [detail = std::move(*found), answer](
                                                    Result<std::vector<v1::Manifest>> manifests) mutable {
            if (manifests) {
              for (v1::Manifest& manifest : *manifests) *detail.add_manifests() = std::move(manifest);
            } else {
              detail.set_note(manifests.error().message);
            }
            answer(std::move(detail));
          });
        });
      },
      kStorePatience);
}

Result<v1::VerifyReport> DaemonControl::VerifyIncident(const std::string& id) {
  return AskLater<v1::VerifyReport>(
      [this, id](const Answer<v1::VerifyReport>& answer) {
        daemon_.cluster().FindIncident(id, [this, answer](Result<v1::IncidentDetail> found) {
          if (!found) return answer(Unexpected(std::move(found).error()));
          daemon_.shipper().Verify(found->incident().id(), answer);
        });
      },
      kStorePatience);
}

Result<v1::Incident> DaemonControl::PinIncident(const std::string& id, bool pinned) {
  return AskLater<v1::Incident>(
      [=, this](const Answer<v1::Incident>& answer) { daemon_.cluster().PinIncident(id, pinned, answer); },
      kStorePatience);
}

Result<v1::DeleteReport> DaemonControl::DeleteIncident(const std::string& id) {
  return AskLater<v1::DeleteReport>(
      [this, id](const Answer<v1::DeleteReport>& answer) {
        auto report = std::make_shared<v1::DeleteReport>();
        const auto begun = daemon_.Delete(id, [report, answer](Result<uint64_t> freed) {
          if (!freed) return answer(Unexpected(freed.error()));
          report->set_bytes_freed(*freed);
          answer(*report);
        });
        if (!begun) return answer(Unexpected(begun.error()));
        report->set_incident_id(*begun);
      },
      kStorePatience);
}

Result<v1::Incident> DaemonControl::Dump(const std::string& reason, bool all_nodes,
                                         const std::vector<std::string>& nodes) {
  return Ask<v1::Incident>([=, this] { return daemon_.Dump(reason, all_nodes, nodes); });
}

Result<v1::NodeList> DaemonControl::ListNodes() {
  return Ask<v1::NodeList>([this]() -> Result<v1::NodeList> { return daemon_.cluster().ListNodes(); });
}

Result<v1::NodeList> DaemonControl::RemoveNode(const std::string& name) {
  return Ask<v1::NodeList>([=, this] { return daemon_.cluster().RemoveNode(name); });
}

Result<v1::ResourceList> DaemonControl::ListResources() {
  return Ask<v1::ResourceList>([this]() -> Result<v1::ResourceList> { return daemon_.ListResources(); });
}

Result<v1::ClusterView> DaemonControl::GetCluster() {
  return Ask<v1::ClusterView>([this]() -> Result<v1::ClusterView> { return daemon_.cluster().View(); });
}

Result<v1::JoinTicket> DaemonControl::MakeToken(std::chrono::seconds valid) {
  return AskLater<v1::JoinTicket>(
      [this, valid](const Answer<v1::JoinTicket>& answer) { daemon_.cluster().MakeToken(valid, answer); },
      kLoopPatience);
}

Result<v1::LeaveClusterReply> DaemonControl::LeaveCluster() {
  return AskLater<v1::LeaveClusterReply>(
      [this](const Answer<v1::LeaveClusterReply>& answer) { daemon_.cluster().LeaveCluster(answer); },
      kLoopPatience);
}

Result<v1::Config> DaemonControl::GetConfig() {
  return Ask<v1::Config>([this]() -> Result<v1::Config> { return daemon_.GetConfig(); });
}

Result<std::shared_ptr<void>> DaemonControl::WatchEvents(std::function<void(const v1::Event&)> sink) {
  using Watchers = std::list<Daemon::EventWatcher>;
  FFDC_ASSIGN(const Watchers::iterator watcher, Ask<Watchers::iterator>([&]() -> Result<Watchers::iterator> {
                daemon_.watchers().push_back(sink);
                return std::prev(daemon_.watchers().end());
              }));
  // Erased on the loop's thread, and waited for: the sink must not be called any more.
  return std::shared_ptr<void>(nullptr, [this, watcher](void*) {
    (void)Ask<bool>([this, watcher]() -> Result<bool> {
      daemon_.watchers().erase(watcher);
      return true;
    });
  });
}

Result<std::shared_ptr<void>> DaemonControl::WatchCluster(std::function<void(const v1::News&)> sink) {
  using Watcher = NewsDesk::Watchers::iterator;
  FFDC_ASSIGN(const Watcher watcher,
              Ask<Watcher>([&]() -> Result<Watcher> { return daemon_.cluster().news().Watch(sink); }));
  return std::shared_ptr<void>(nullptr, [this, watcher](void*) {
    (void)Ask<bool>([this, watcher]() -> Result<bool> {
      daemon_.cluster().news().Unwatch(watcher);
      return true;
    });
  });
}

Result<ControlBackend::Pull> DaemonControl::OpenPipe(
    const std::function<Result<uint64_t>(Fd input, PipeDone done)>& start) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FailErrno("cannot make a pipe");
  Pull pull;
  pull.pipe = Fd(ends[0]);
  auto input = std::make_shared<Fd>(ends[1]);
  auto written = std::make_shared<std::promise<Result<>>>();
  const std::shared_future<Result<>> outcome = written->get_future().share();
  const PipeDone done = [written](Result<> result) { written->set_value(std::move(result)); };
  FFDC_ASSIGN(pull.total_bytes,
              Ask<uint64_t>([input, done, start] { return start(std::move(*input), done); }));
  pull.finish = [outcome]() -> Result<> {
    if (outcome.wait_for(kStorePatience) != std::future_status::ready)
      return Fail("the store did not answer in time: see 'ffdcctl status'", ETIMEDOUT);
    return outcome.get();
  };
  return pull;
}

Result<ControlBackend::Pull> DaemonControl::PullIncident(const std::string& id) {
  // Also one that this node knows nothing of: all captures are in the store.
  FFDC_ASSIGN(const v1::IncidentDetail found, AskLater<v1::IncidentDetail>(
                                                  [this, id](const Answer<v1::IncidentDetail>& answer) {
                                                    daemon_.cluster().FindIncident(id, answer);
                                                  },
                                                  kStorePatience));
  return OpenPipe([this, &found](Fd input, const PipeDone& done) -> Result<uint64_t> {
    uint64_t bytes = 0;
    for (const v1::Capture& capture : found.incident().captures()) bytes += capture.bytes();
    daemon_.shipper().Pull(found.incident().id(), std::move(input), done);
    return bytes;
  });
}

Result<v1::StoreStatus> DaemonControl::InitStore() {
  return AskLater<v1::StoreStatus>(
      [this](const Answer<v1::StoreStatus>& answer) {
        daemon_.shipper().Init([this, answer](Result<> done) {
          if (!done) return answer(Unexpected(done.error()));
          answer(daemon_.shipper().store_status());
        });
      },
      kStorePatience);
}

Result<ControlBackend::Pull> DaemonControl::RunStoreWork(StoreWork work, const std::string& from_url,
                                                         const std::string& to_url) {
  static const std::map<StoreWork, StoreJob> kJobs{{StoreWork::kList, StoreJob::kList},
                                                   {StoreWork::kVerify, StoreJob::kVerify},
                                                   {StoreWork::kClean, StoreJob::kClean},
                                                   {StoreWork::kMigrate, StoreJob::kMigrate}};
  if (work == StoreWork::kMigrate) {
    for (const std::string& url : {from_url, to_url}) FFDC_TRY(CheckStoreUrl(url));
  }
  return OpenPipe([this, work, from_url, to_url](Fd input, const PipeDone& done) -> Result<uint64_t> {
    daemon_.shipper().RunJob(kJobs.at(work), from_url, to_url, std::move(input), done);
    return 0;
  });
}

Result<std::shared_ptr<void>> DaemonControl::WatchDevice(const std::string& name,
                                                         v1::WatchDeviceReply* reply) {
  FFDC_ASSIGN(*reply, Ask<v1::WatchDeviceReply>([=, this] { return daemon_.WatchDevice(name, true); }));
  return std::shared_ptr<void>(nullptr, [this, name](void*) {
    daemon_.loop().Post([this, name] { (void)daemon_.WatchDevice(name, false); });
  });
}

}  // namespace ffdc
