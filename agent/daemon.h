// SPDX-License-Identifier: Apache-2.0
// The agent: the only place that wires the stages together. Reading daemon.cc
// shows the flow. Everything here runs on the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/launcher.h"
#include "base/result.h"
#include "base/uuid.h"
#include "capture/redactor.h"
#include "capture/runner.h"
#include "cluster/index.h"
#include "cluster/subscribers.h"
#include "config/settings.h"
#include "daemon_cluster.h"
#include "detect/clients.h"
#include "detect/detector.h"
#include "detect/store_lost.h"
#include "ffdc/v1/control.pb.h"
#include "incident/manager.h"
#include "probe/block_probe.h"
#include "probe/devices.h"
#include "probe/disk_bytes.h"
#include "probe/disk_flows.h"
#include "probe/endpoints.h"
#include "probe/fault_probes.h"
#include "probe/filesystems.h"
#include "probe/history.h"
#include "probe/latency_window.h"
#include "probe/links.h"
#include "probe/paths.h"
#include "probe/source.h"
#include "store/shipper.h"
#include "store/space_watch.h"

namespace ffdc {

// Every worker task of the agent, for Launcher::Start. Call before anything else
// of the daemon: the launcher must be forked before the first thread.
WorkerTasks AgentTasks();

void NotifyReady();  // tells systemd that the agent serves

class Daemon {
 public:
  Daemon(Settings settings, std::string config_path, CapturePrivacy privacy, EventLoop& loop,
         Launcher& launcher);
  ~Daemon();

  Result<> Start();
  void Stop();  // after the loop ended: writes down what is still only in memory

  // For the management service (daemon_control.cc).
  [[nodiscard]] v1::Status GetStatus();
  [[nodiscard]] v1::ProbeList ListProbes() const;
  // With what the programs' runs cost in the time from now on.
  void MeasureProbes(std::chrono::nanoseconds time, std::function<void(Result<v1::ProbeList>)> done);
  [[nodiscard]] v1::EventList ListEvents(uint32_t limit) const;
  [[nodiscard]] v1::Config GetConfig() const;
  [[nodiscard]] v1::ResourceList ListResources() const;
  // Returns the whole id; done gets the bytes freed.
  Result<std::string> Delete(const std::string& prefix, std::function<void(Result<uint64_t>)> done);
  Result<v1::WatchDeviceReply> WatchDevice(const std::string& name, bool watch);
  IncidentManager& incidents() { return *incidents_; }
  Shipper& shipper() { return *shipper_; }
  DaemonCluster& cluster() { return *cluster_; }
  // Captures this node, and others as asked: all, or these.
  Result<v1::Incident> Dump(const std::string& reason, bool all_nodes, const std::vector<std::string>& nodes);
  EventLoop& loop() { return loop_; }

  using EventWatcher = std::function<void(const v1::Event&)>;
  std::list<EventWatcher>& watchers() { return watchers_; }

 private:
  Result<> StartFolders();
  void StartIncidents();
  void StartShipper();
  void StartSpaceWatch();
  void StartProbes();
  void StartDetectors();
  void AddSources();
  void AddEndpoints();
  [[nodiscard]] std::vector<std::string> BelowStore() const;
  [[nodiscard]] std::vector<std::string> LinksTo(const std::string& subject_id) const;
  [[nodiscard]] DetectorWorld World();
  [[nodiscard]] std::vector<DiskLatency> LastSecondOfDisks() const;
  Result<> StartDevices();
  Result<> StartSources();
  void Tick();
  void Poll();

  // Hands one observation to every detector.
  template <class Observation>
  void Observe(void (Detector::*hear)(const Observation&), const Observation& seen) {
    for (auto& detector : detectors_) ((*detector).*hear)(seen);
  }
  void OnUevent(const Uevent& event);
  void OnDevice(const DeviceInventory::Change& change);
  void OnEvent(const v1::Event& event, EventPhase phase);
  // Subscribers, and who watches.
  void Tell(const std::string& what, const v1::Incident& incident);
  [[nodiscard]] std::vector<std::string> SharedSubjects() const;
  void OnIncidentOpened(const v1::Incident& incident, const v1::Event& trigger);
  void OnIncidentChanged(const v1::Incident& incident);
  void OnDeletedElsewhere(const std::string& id);
  void RewriteStored(const v1::Incident& incident);
  [[nodiscard]] v1::Incident Written(const v1::Incident& incident);
  // head: of an incident of another node, what its manifest says of that.
  void Collect(const v1::Incident& incident, const FrozenHistory& frozen, const v1::Manifest& head);
  [[nodiscard]] bool IsOwn(const v1::Incident& incident) const {
    return incident.origin_node() == settings_.node.name;
  }
  Result<> StartCluster();
  void SettleFormerLife();
  [[nodiscard]] std::vector<v1::Probe> Probes() const;
  void FillDevices(v1::Status& status);
  void FillProblems(v1::Status& status, const std::vector<v1::Probe>& probes) const;

  Settings settings_;
  std::string config_path_;
  CapturePrivacy privacy_;
  std::unique_ptr<Redactor> redactor_;  // nullptr: nothing is taken out
  EventLoop& loop_;
  Launcher& launcher_;
  UuidGenerator ids_;
  int64_t started_wall_ns_ = 0;
  v1::Versions versions_;
  Fd spool_lock_;
  Fd runtime_lock_;

  std::unique_ptr<IncidentIndex> index_;
  bool flush_is_due_ = false;
  std::unique_ptr<IncidentManager> incidents_;
  std::unique_ptr<Subscribers> subscribers_;
  std::set<std::string> to_be_captured_;  // incidents of this node's life that some node still captures
  std::unique_ptr<DaemonCluster> cluster_;
  std::unique_ptr<CaptureRunner> runner_;
  std::unique_ptr<Shipper> shipper_;
  std::unique_ptr<SpaceWatch> space_;
  std::unique_ptr<BlockProbe> block_probe_;
  std::unique_ptr<DeviceInventory> devices_;
  std::unique_ptr<FilesystemTable> filesystems_;
  std::vector<ProbeSourcePtr> probe_sources_;
  FaultProbes* fault_probes_ = nullptr;  // one of them, as the next three
  PathProbe* path_probe_ = nullptr;
  EndpointSource* endpoints_ = nullptr;
  LinkSource* links_ = nullptr;
  std::set<uint32_t> watched_bio_devices_;
  std::unique_ptr<ClientResolver> clients_;
  std::unique_ptr<LatencyWindows> latencies_;
  DiskByteCounter disk_bytes_;
  std::unique_ptr<DiskFlows> disk_flows_;
  std::unique_ptr<History> history_;
  std::vector<std::unique_ptr<Detector>> detectors_;
  std::unique_ptr<StoreEvents> store_events_;
  std::list<EventWatcher> watchers_;
  std::vector<EventLoop::SourcePtr> sources_;
};

}  // namespace ffdc
