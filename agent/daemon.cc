// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <google/protobuf/util/time_util.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/block_dev.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/precedence.h"
#include "capture/history_decoder.h"
#include "capture/redact_record.h"
#include "cluster/webhook.h"
#include "detect/baseline_file.h"
#include "detect/detect_tasks.h"
#include "host_facts.h"

namespace ffdc {
namespace {

// A device with a histogram costs five values in every sample of the 1 Hz history.
constexpr size_t kMaxDevicesInHistory = 256;
// How long a former life's captures may take to turn up before the store is asked for them.
constexpr std::chrono::seconds kSettleDelay{3};
constexpr uint32_t kRecentIncidents = 64;

void LogIncident(const v1::Incident& incident, const std::string& what) {
  const auto level = incident.severity() == v1::CRITICAL  ? spdlog::level::err
                     : incident.severity() == v1::WARNING ? spdlog::level::warn
                                                          : spdlog::level::info;
  spdlog::log(level, "incident {} {}: {} {}", incident.id(), what, incident.kind(), incident.summary());
}

}  // namespace

WorkerTasks AgentTasks() {
  SetHistoryDecoder([](std::string_view encoded, const auto& sink) {
    return DecodeHistory(encoded, [&](const HistorySample& s) { sink(s.mono_ns, s.wall_ns, s.values); });
  });
  WorkerTasks tasks = CaptureTasks();
  tasks.merge(StoreTasks());
  tasks.merge(IndexTasks());
  tasks.merge(ClusterCopyTasks());
  tasks.merge(TlsTasks());
  tasks.merge(WebhookTasks());
  tasks.merge(DetectTasks());
  tasks.merge(BaselineTasks());
  tasks.merge(PathTasks());
  return tasks;
}

void NotifyReady() { sd_notify(0, "READY=1"); }

Daemon::Daemon(Settings settings, std::string config_path, CapturePrivacy privacy, EventLoop& loop,
               Launcher& launcher)
    : settings_(std::move(settings)),
      config_path_(std::move(config_path)),
      privacy_(std::move(privacy)),
      loop_(loop),
      launcher_(launcher),
      ids_(SystemClock()) {}

Daemon::~Daemon() = default;

Result<> Daemon::Start() {
  started_wall_ns_ = SystemClock().RealtimeNs();
  // What the agent needs after a failure must not wait for a page from the disk
  // that failed: whatever was touched once stays in memory.
  if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
    spdlog::warn("cannot lock memory ({}): a hung root disk may stop the agent", strerrordesc_np(errno));
  // The kernel freezes the history at a failure, but the next time only after the agent took what was frozen,
  // and others freeze theirs when they are alerted: neither must wait behind everybody's load.
  if (const auto raised = TakePrecedence(); !raised)
    spdlog::warn("{}: a busy node may delay the agent", raised.error().message);
  FFDC_TRY(StartFolders());
  FFDC_ASSIGN(redactor_, MakeRedactor(privacy_.redact));
  versions_ = ReadVersions();
  StartIncidents();
  StartShipper();
  StartSpaceWatch();
  StartProbes();
  FFDC_TRY(StartDevices());
  // Signals are the loop's before there are threads that could take them.
  FFDC_TRY(StartSources());
  return StartCluster();
}

// Incident -> alerts to the other nodes, and theirs -> captures here.
Result<> Daemon::StartCluster() {
  ClusterHooks hooks;
  hooks.event = [this](const v1::Event& event, bool ended) {
    OnEvent(event, ended ? EventPhase::kEnded : EventPhase::kOpened);
  };
  hooks.freeze = [this](uint64_t* frozen_mono_ns) -> ClusterHooks::Collect {
    *frozen_mono_ns = block_probe_->StopHistory();
    const std::shared_ptr<void> stopped(nullptr, [this](void*) { block_probe_->Rearm(); });
    return [this, stopped](const v1::Incident& incident, const v1::Manifest& head) {
      Collect(incident, block_probe_->Freeze(), head);
      CrashPoint("incident.opened");
    };
  };
  hooks.subjects = [this] { return SharedSubjects(); };
  hooks.links_to = [this](const std::string& subject_id) { return LinksTo(subject_id); };
  hooks.deleted = [this](const std::string& id) { OnDeletedElsewhere(id); };
  cluster_ = std::make_unique<DaemonCluster>(settings_, loop_, launcher_, *incidents_, *shipper_, ids_,
                                             std::move(hooks));
  endpoints_->Outdated();
  return cluster_->Start();
}

Result<> Daemon::StartFolders() {
  const std::string owner = "ffdcd pid " + std::to_string(getpid()) + " (node " + settings_.node.name +
                            ", control socket " + settings_.control.socket + ")";
  FFDC_ASSIGN(spool_lock_, LockFolder(settings_.spool.path, "spool", owner));
  FFDC_ASSIGN(runtime_lock_, LockFolder(settings_.capture.runtime_dir, "runtime folder", owner));
  return {};
}

// Event -> incident -> index. What former lives knew comes first.
void Daemon::StartIncidents() {
  SubscriberOptions subscribers{settings_.alert.subscribers, settings_.alert.secret_file, v1::WARNING,
                                settings_.alert.subscriber_kinds, settings_.alert.subscriber_subjects};
  if (settings_.alert.min_severity == "info") subscribers.min_severity = v1::INFO;
  if (settings_.alert.min_severity == "critical") subscribers.min_severity = v1::CRITICAL;
  subscribers_ = std::make_unique<Subscribers>(std::move(subscribers), launcher_, ids_);
  index_ = IncidentIndex::Create(settings_.spool.path + "/index.db", launcher_);
  incidents_ = std::make_unique<IncidentManager>(
      IncidentOptions{settings_.node.name, settings_.node.cluster, settings_.incident.quiet_after},
      SystemClock(), ids_,
      IncidentCallbacks{[this](const v1::Incident& incident, const v1::Event& trigger) {
                          OnIncidentOpened(incident, trigger);
                        },
                        [this](const v1::Incident& incident) {
                          LogIncident(incident, "closed");
                          if (IsOwn(incident)) Tell("incident.closed", incident);
                          CrashPoint("incident.closed");
                        },
                        [this](const v1::Incident& incident) { OnIncidentChanged(incident); }});
  if (auto known = index_->Load()) {
    incidents_->Load(std::move(*known));
  } else {
    spdlog::error("{}: starting with an empty index", known.error().message);
  }
}

// Incident -> capture -> spool -> store.
void Daemon::StartShipper() {
  CaptureOptions capture;
  capture.runtime_dir = settings_.capture.runtime_dir;
  capture.spool_dir = settings_.spool.path;
  capture.collector_max_bytes = settings_.capture.collector_max_bytes;
  capture.privacy = privacy_;
  // Rules are held against each line: of hundreds of MiB that takes a while.
  if (!privacy_.redact.empty()) capture.seal_deadline *= 5;
  capture.max_parallel = settings_.capture.max_parallel;
  runner_ = CaptureRunner::Create(
      capture, launcher_, [this](const std::string& id, Result<v1::SealedCapture> sealed) {
        if (!sealed) {
          spdlog::error("{}", sealed.error().message);
          incidents_->CaptureFailed(id, sealed.error().message);
          return;
        }
        incidents_->Adopt(sealed->manifest());
        shipper_->Enqueue(sealed->manifest());
        spdlog::info("incident {} captured: {} files, {} bytes", id, sealed->manifest().files_size(),
                     sealed->manifest().archive_bytes());
        CrashPoint("incident.captured");
      });
  ShipperCallbacks callbacks;
  // Of another node's incident the spool's description is good enough, until its own node writes it.
  callbacks.incident = [this](const std::string& id) {
    const v1::Incident* incident = incidents_->Get(id);
    if (incident == nullptr || !IsOwn(*incident)) return v1::Incident();
    return Written(*incident);
  };
  callbacks.keep_ids = [this] { return incidents_->KeepIds(); };
  callbacks.stored = [this](const v1::Manifest& manifest, const std::string& where, const std::string& by) {
    spdlog::info("incident {} stored in {}{}", manifest.incident_id(), where,
                 by.empty() ? "" : " by node " + by);
    incidents_->CaptureStored(manifest, where, by);
  };
  callbacks.stored_for_peer = [this](const v1::Manifest& manifest, const std::string& problem) {
    if (cluster_) cluster_->OnStoredForPeer(manifest, problem);
  };
  callbacks.dropped = [this](const std::string& id, const std::string& reason) {
    spdlog::warn("capture of incident {} dropped: {}", id, reason);
    incidents_->CaptureDropped(id, reason);
  };
  callbacks.found = [this](const v1::Manifest& manifest) { incidents_->Adopt(manifest); };
  callbacks.store_state = [this](const StoreState& state) {
    spdlog::log(state.lost ? spdlog::level::err : spdlog::level::info, "store {} {}", state.url,
                state.lost ? "is lost: " + state.problem : "can be reached again");
    store_events_->OnStore(state);
  };
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(settings_.store.max_age);
  shipper_ = Shipper::Create({.spool_dir = settings_.spool.path,
                              .spool_max_bytes = settings_.spool.max_bytes,
                              .store_url = settings_.store.url,
                              .cluster = settings_.node.cluster,
                              .node = settings_.node.name,
                              .max_age_s = static_cast<uint64_t>(age.count()),
                              .max_bytes = settings_.store.max_bytes,
                              .max_incidents = settings_.store.max_incidents,
                              .max_bytes_per_second = settings_.store.max_bytes_per_second,
                              .require_marker = settings_.store.require_marker},
                             launcher_, std::move(callbacks));
  runner_->Recover();
  shipper_->Recover();
  loop_.After(kSettleDelay, [this] { SettleFormerLife(); });
}

// Store -> fill level of its pool -> event.
void Daemon::StartSpaceWatch() {
  space_ = std::make_unique<SpaceWatch>(settings_.store.url, settings_.node.cluster, settings_.node.name,
                                        launcher_,
                                        [this](const PoolFill& pool) { Observe(&Detector::OnSpace, pool); });
}

// Kernel -> record -> event.
void Daemon::StartProbes() {
  block_probe_ = BlockProbe::Start(
      {.io_history_bytes = settings_.recorder.io_max_bytes, .quiet_after = settings_.incident.quiet_after},
      [this](const ffdc_block_error& record) {
        // What the device said of it came before, through the other ring.
        if (fault_probes_ != nullptr) fault_probes_->Consume();
        path_probe_->OnRecord(record.header);
        for (auto& detector : detectors_) detector->OnRecord(record.header);
      });
  clients_ = std::make_unique<ClientResolver>();
  latencies_ = std::make_unique<LatencyWindows>(*block_probe_);
  disk_flows_ = std::make_unique<DiskFlows>(*block_probe_);
  history_ = History::Create(
      {.max_bytes = settings_.recorder.history_max_bytes}, SystemClock(), [this](const auto& add) {
        size_t left = kMaxDevicesInHistory;
        for (const BlockDevice* device : devices_->All()) {
          if (!device->watched) continue;
          if (left == 0) break;
          --left;
          const LatencyFigures figures = latencies_->LastSecond(device->dev);
          const std::string prefix = "latency." + device->name + ".";
          add(prefix + "read_p50_ns", static_cast<int64_t>(figures.read_p50_ns));
          add(prefix + "read_p99_ns", static_cast<int64_t>(figures.read_p99_ns));
          add(prefix + "write_p50_ns", static_cast<int64_t>(figures.write_p50_ns));
          add(prefix + "write_p99_ns", static_cast<int64_t>(figures.write_p99_ns));
          add(prefix + "completions", static_cast<int64_t>(latencies_->completions(device->dev)));
        }
      });
  StartDetectors();
}

Result<> Daemon::StartDevices() {
  // The sources first, so that nothing comes in between the scan and them unheard.
  AddSources();
  FFDC_ASSIGN(devices_,
              DeviceInventory::Open("/sys", {settings_.devices.include, settings_.devices.exclude},
                                    [this](const DeviceInventory::Change& change) { OnDevice(change); }));
  endpoints_->Rescan();
  filesystems_ = std::make_unique<FilesystemTable>(DeviceRoots("/sys"), *devices_);
  return {};
}

Result<> Daemon::StartSources() {
  const auto add = [this](Result<EventLoop::SourcePtr> source) -> Result<> {
    if (!source) return Unexpected(source.error());
    sources_.push_back(std::move(*source));
    return {};
  };
  if (block_probe_->poll_fd() >= 0)
    FFDC_TRY(add(
        loop_.AddUrgentIo(block_probe_->poll_fd(), EPOLLIN, [this](uint32_t) { block_probe_->Consume(); })));
  for (const ProbeSourcePtr& source : probe_sources_) {
    if (source->poll_fd() < 0) continue;
    FFDC_TRY(add(loop_.AddIo(source->poll_fd(), EPOLLIN, [&source](uint32_t) { source->Consume(); })));
  }
  FFDC_TRY(add(loop_.AddIo(launcher_.fd(), EPOLLIN, [this](uint32_t) { launcher_.Dispatch(); })));
  FFDC_TRY(add(loop_.AddTimer(std::chrono::seconds(1), [this] { Tick(); })));
  FFDC_TRY(add(loop_.AddTimer(std::chrono::milliseconds(500), [this] { Poll(); })));
  for (const int signal : {SIGINT, SIGTERM}) {
    FFDC_TRY(add(loop_.AddSignal(signal, [this] { cluster_->Leave([this] { loop_.Stop(); }); })));
  }
  loop_.EnableWatchdog();
  uint32_t watched = 0;
  for (const BlockDevice* device : devices_->All()) watched += device->watched ? 1 : 0;
  for (const v1::Probe& probe : Probes()) {
    if (!probe.active() && !probe.idle())
      spdlog::warn("probe {} is inactive: {}", probe.name(), probe.reason());
  }
  spdlog::info("ffdcd {} watches {} block devices on node {} (store {}, spool {}, quiet after {})",
               FFDC_VERSION, watched, settings_.node.name, settings_.store.url, settings_.spool.path,
               FormatDuration(settings_.incident.quiet_after));
  return {};
}

void Daemon::Poll() {
  for (const ProbeSourcePtr& source : probe_sources_) source->Poll();
  for (auto& detector : detectors_) detector->OnPoll();
}

void Daemon::Tick() {
  std::vector<uint32_t> watched;
  for (const BlockDevice* device : devices_->All()) {
    if (device->watched) watched.push_back(device->dev);
  }
  latencies_->Tick(watched);
  disk_bytes_.Tick();
  history_->Sample();
  const FailureTotals totals = block_probe_->FailureCounts();
  // An event opens with the record of its first failure, which tells more than a count.
  block_probe_->Consume();
  fault_probes_->Consume();
  for (auto& detector : detectors_) detector->OnTick(totals);
  store_events_->Tick();
  incidents_->Tick();
  runner_->Tick();
  shipper_->Tick();
  space_->Tick(shipper_->store_status().error());
  index_->Flush();
  subscribers_->Tick();
  cluster_->Tick();
  launcher_.Dispatch();
  // Threads do not survive fork, so a new launcher needs a new agent: systemd starts one.
  if (!launcher_.alive()) loop_.Stop();
}

void Daemon::OnDevice(const DeviceInventory::Change& change) {
  const BlockDevice& device = *change.device;
  if (change.removed) {
    block_probe_->RemoveDevice(device.dev);
  } else {
    block_probe_->SetDevice(device.dev, device.watched);
  }
  if (!change.removed && device.watched && device.bio_based) {
    watched_bio_devices_.insert(device.dev);
  } else {
    watched_bio_devices_.erase(device.dev);
  }
  block_probe_->SetBioDevices(!watched_bio_devices_.empty());
}

void Daemon::OnEvent(const v1::Event& event, EventPhase phase) {
  const std::string incident_id = incidents_->OnEvent(event, phase == EventPhase::kEnded);
  // Of a failing device there are many: a copy only where somebody is told.
  const bool is_news = cluster_ && (phase == EventPhase::kOpened || phase == EventPhase::kEnded);
  if (!is_news && (phase == EventPhase::kEnded || watchers_.empty())) return;
  v1::Event shown = event;
  shown.set_incident_id(incident_id);
  if (is_news) cluster_->news().Tell(NewsOf(phase == EventPhase::kEnded ? "event.ended" : "event", shown));
  if (phase == EventPhase::kEnded) return;
  for (const EventWatcher& watcher : watchers_) watcher(shown);
}

void Daemon::Tell(const std::string& what, const v1::Incident& incident) {
  subscribers_->Tell(what, incident);
  if (cluster_) cluster_->news().Tell(NewsOf(what, incident, SystemClock().RealtimeNs()));
}

// Of the storage that reaches this node over a network first: others are likely to use it too.
std::vector<std::string> Daemon::SharedSubjects() const {
  std::vector<std::string> ids;
  for (const Endpoint& endpoint : endpoints_->All()) {
    if (endpoint.role != EndpointRole::kStorage) continue;
    ids.push_back(endpoint.Id());
    ids.insert(ids.end(), endpoint.related_ids.begin(), endpoint.related_ids.end());
  }
  for (const BlockDevice* device : devices_->All()) {
    if (device->watched) ids.push_back(device->subject.id());
  }
  return ids;
}

void Daemon::OnIncidentOpened(const v1::Incident& incident, const v1::Event& trigger) {
  // Freeze first, then alert, then collect. Copying what is frozen out is a part of collecting.
  block_probe_->StopHistory();
  if (cluster_) cluster_->Alert(incident, trigger);
  const FrozenHistory frozen = block_probe_->Freeze();
  v1::Manifest head;
  head.set_failure_mono_ns(trigger.first_mono_ns());
  Collect(incident, frozen, head);
  LogIncident(incident, "opened");
  Tell("incident.opened", incident);
  to_be_captured_.insert(incident.id());
  constexpr size_t kMaxToBeCaptured = 1024;  // some never are
  if (to_be_captured_.size() > kMaxToBeCaptured) to_be_captured_.erase(to_be_captured_.begin());
  CrashPoint("incident.opened");
}

void Daemon::Collect(const v1::Incident& incident, const FrozenHistory& frozen, const v1::Manifest& head) {
  const v1::Event& trigger = incident.events(0);
  v1::CaptureJob job;
  v1::Manifest& manifest = *job.mutable_manifest();
  manifest = head;
  *manifest.mutable_clock() = ReadClocks();
  manifest.set_incident_id(incident.id());
  manifest.set_cluster(incident.cluster());
  manifest.set_node(settings_.node.name);
  *manifest.mutable_trigger() = trigger;
  manifest.set_frozen_mono_ns(frozen.frozen_mono_ns);
  manifest.set_repeat(incident.repeat());
  *manifest.mutable_versions() = versions_;
  *manifest.mutable_started_at() = incident.captures(0).started_at();
  for (v1::Probe& probe : Probes()) {
    if (probe.drops() != 0) {
      v1::Loss& loss = *manifest.add_losses();
      loss.set_what("probe." + probe.name() + ".drops");
      loss.set_count(probe.drops());
      loss.set_detail("records lost since the agent started");
    }
    *manifest.add_probes() = std::move(probe);
  }
  *job.mutable_incident() = incident;
  if (trigger.subject().type() == "block_device" && IsOwn(incident)) {
    job.set_subject_name(trigger.subject().name());
    if (const BlockDevice* device = devices_->FindByName(trigger.subject().name()))
      job.set_subject_dev(device->dev);
  }
  CaptureInputs inputs;
  for (const auto& segment : frozen.segments)
    inputs["io_history"].emplace_back(segment, &segment->memfd);  // shares the segment's life
  if (auto history = history_->Freeze()) {
    inputs["history_1hz"].push_back(std::make_shared<const Fd>(std::move(*history)));
  } else {
    spdlog::error("{}", history.error().message);
  }
  if (const int link = block_probe_->blocked_tasks_link_fd(); link >= 0)
    inputs["blocked_tasks"].push_back(std::make_shared<const Fd>(dup(link)));
  runner_->Start(std::move(job), std::move(inputs));
}

void Daemon::OnIncidentChanged(const v1::Incident& incident) {
  index_->Put(incident);
  RewriteStored(incident);
  const v1::Completeness& complete = incident.completeness();
  if (complete.expected() != 0 && complete.stored() == complete.expected() &&
      to_be_captured_.erase(incident.id()) != 0)
    Tell("incident.captured", incident);
  if (cluster_) cluster_->OnIncidentChanged(incident);
  // Not at the next tick: a crash must not forget what a person was told. Nor at once: of a large cluster
  // many changes come together, and other nodes on this host may not have stopped their histories yet.
  constexpr std::chrono::milliseconds kGatherChanges{100};
  if (std::exchange(flush_is_due_, true)) return;
  loop_.After(kGatherChanges, [this] {
    flush_is_due_ = false;
    index_->Flush();
  });
}

// An incident of which the store has nothing needs no worker to find that out: its newest
// description goes there with its capture, and what changes meanwhile follows CaptureStored().
void Daemon::RewriteStored(const v1::Incident& incident) {
  // Of one incident only the node where it failed writes that.
  if (incident.completeness().stored() != 0 && IsOwn(incident)) shipper_->IncidentChanged(Written(incident));
}

// As it goes to the store.
v1::Incident Daemon::Written(const v1::Incident& incident) {
  v1::Incident written = incident;
  if (redactor_) RedactRecord(*redactor_, &written);
  return written;
}

// Incidents whose capture was under way when the agent ended: their captures have
// come back from the staging folder or the spool by now, or lie in the store, or are lost.
void Daemon::SettleFormerLife() {
  // What changed in its last second may not have reached the store; what did is left alone.
  for (const v1::Incident* incident : incidents_->List(kRecentIncidents, "")) RewriteStored(*incident);
  for (const v1::Incident* incident : incidents_->List(0, "")) {
    const std::string id = incident->id();
    for (const v1::Capture& capture : incident->captures()) {
      const int64_t started_ns =
          google::protobuf::util::TimeUtil::TimestampToNanoseconds(capture.started_at());
      const bool unsettled = capture.state() == v1::COLLECTING || capture.state() == v1::SEALED;
      if (capture.node() != settings_.node.name || !unsettled || started_ns > started_wall_ns_) continue;
      if (runner_->Has(id) || shipper_->Has(id)) continue;
      shipper_->Manifests(id, [this, id](Result<std::vector<v1::Manifest>> manifests) {
        for (const v1::Manifest& manifest : manifests ? *manifests : std::vector<v1::Manifest>()) {
          if (manifest.node() == settings_.node.name) {
            incidents_->CaptureStored(manifest, settings_.store.url);
            return;
          }
        }
        if (manifests || manifests.error().code == ENOENT)
          incidents_->CaptureFailed(id, "the agent ended before the capture was sealed");
      });
    }
  }
}

void Daemon::Stop() {
  sd_notify(0, "STOPPING=1");
  constexpr uint64_t kPatienceNs = 5'000'000'000;
  const uint64_t until = SystemClock().MonotonicNs() + kPatienceNs;
  const auto written = [this] {
    const auto waiting = std::count_if(detectors_.begin(), detectors_.end(),
                                       [](const auto& detector) { return !detector->OnStop(); });
    return waiting == 0 && index_->pending() == 0;
  };
  while (!written() && launcher_.alive() && SystemClock().MonotonicNs() < until) {
    index_->Flush();
    launcher_.Dispatch();
    usleep(1000);
  }
  if (index_->pending() != 0)
    spdlog::error("stopped with {} changes not in the index: {}", index_->pending(), index_->problem());
}

}  // namespace ffdc
