// SPDX-License-Identifier: Apache-2.0
// The sources of observations, and what detectors may ask about the world.
#include "base/store_url.h"
#include "daemon.h"
#include "detect/io_limits.h"
#include "probe/kernel_log.h"
#include "probe/uevents.h"
#include "probe/units.h"

namespace ffdc {
namespace {

bool Carries(const Endpoint& endpoint, const std::string& subject_id) {
  const auto& ids = endpoint.related_ids;
  return std::find(ids.begin(), ids.end(), subject_id) != ids.end();
}

}  // namespace

// One line a source: what it hears goes to every detector.
void Daemon::AddSources() {
  auto faults = FaultProbes::Start(AllFaultSets(), [this](const ffdc_record_header& record) {
    if (record.kind == FFDC_FAULT_NBD_REMOTE) return endpoints_->Outdated();
    path_probe_->OnRecord(record);
    Observe(&Detector::OnRecord, record);
  });
  fault_probes_ = faults.get();
  probe_sources_.push_back(std::move(faults));
  auto paths =
      PathProbe::Start({.clock = &SystemClock(),
                        .devices = [this] { return devices_.get(); },
                        .submit =
                            [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
                              launcher_.Submit(request, std::move(done));
                            }},
                       [this](const PathState& state) { Observe(&Detector::OnPath, state); });
  path_probe_ = paths.get();
  probe_sources_.push_back(std::move(paths));
  probe_sources_.push_back(UeventSource::Start(
      {[this](const Uevent& event) { OnUevent(event); }, [this] { devices_->Rescan(); }}));
  probe_sources_.push_back(KernelLogSource::Start([this](const KernelMessage& message) {
    path_probe_->OnKernelMessage(message);
    Observe(&Detector::OnKernelMessage, message);
  }));
  if (!settings_.watch.units.empty())
    probe_sources_.push_back(UnitSource::Start(
        settings_.watch.units, [this](const UnitState& state) { Observe(&Detector::OnUnit, state); }));
  AddEndpoints();
}

// What carries storage over a network, the cluster, and the links and sockets on the way there.
void Daemon::AddEndpoints() {
  auto links = LinkSource::Start(settings_.node.name,
                                 [this](const LinkState& state) { Observe(&Detector::OnLink, state); });
  links_ = links.get();
  probe_sources_.push_back(std::move(links));
  EndpointOptions options;
  options.configured = settings_.watch.endpoints;
  options.identities = [this](const std::string& disk) {
    std::vector<std::string> ids;
    const BlockDevice* device = devices_->FindByName(disk);
    if (device == nullptr) return ids;
    ids = devices_->RelatedTo(device->dev);
    ids.insert(ids.begin(), device->subject.id());
    return ids;
  };
  // The map is another each time that the module is loaded.
  const auto nbd_map = [this] { return fault_probes_->MapFd("nbd", "nbd_remotes"); };
  options.nbd_connections = [nbd_map] { return ReadNbdConnections(nbd_map()); };
  options.forget_nbd = [nbd_map](const NbdConnection& connection) {
    ForgetNbdConnection(nbd_map(), connection);
  };
  options.store_url = settings_.store.url;
  options.store_folder = StoreFolder(settings_.store.url);
  options.store_servers = [this] { return space_->servers(); };
  options.cluster = [this] { return cluster_ ? cluster_->Endpoints() : std::vector<Endpoint>(); };
  auto endpoints = EndpointSource::Start(std::move(options), [this] {
    const int map = fault_probes_->MapFd("sockets", "watched_endpoints");
    FillEndpointMap(map, OwnNetworkNamespace(), endpoints_->All());
    links_->SetEndpoints(endpoints_->All());
  });
  endpoints_ = endpoints.get();
  probe_sources_.push_back(std::move(endpoints));
}

// What the store's loss may follow from: then both are one incident.
std::vector<std::string> Daemon::BelowStore() const {
  std::vector<std::string> ids = LinksTo(settings_.store.url);
  for (const Endpoint& endpoint : endpoints_->All()) {
    if (Carries(endpoint, settings_.store.url)) ids.push_back(endpoint.Id());
  }
  if (const std::string folder = StoreFolder(settings_.store.url); !folder.empty()) {
    for (std::string& id : filesystems_->Below(folder)) ids.push_back(std::move(id));
  }
  return ids;
}

// By which the DB, a peer or the store is reached: "link:eth0@a", as in link.down.
std::vector<std::string> Daemon::LinksTo(const std::string& subject_id) const {
  std::set<std::string> links;
  for (const Endpoint& endpoint : endpoints_->All()) {
    if (!Carries(endpoint, subject_id)) continue;
    const std::string interface = links_->LinkTo(endpoint);
    if (!interface.empty()) links.insert("link:" + interface + "@" + settings_.node.name);
  }
  return {links.begin(), links.end()};
}

void Daemon::OnUevent(const Uevent& event) {
  devices_->OnUevent(event);
  if (event.subsystem == "module") fault_probes_->ModulesChanged();
  path_probe_->OnUevent(event);
  if (event.action != "change") endpoints_->Outdated();
  Observe(&Detector::OnUevent, event);
}

DetectorWorld Daemon::World() {
  DetectorWorld world;
  world.clock = &SystemClock();
  world.ids = &ids_;
  world.node = settings_.node.name;
  world.quiet_after = settings_.incident.quiet_after;
  world.options.stall_after = settings_.detect.stall_after;
  world.options.retries_per_minute = settings_.detect.retries_per_minute;
  world.options.slow_factor = settings_.detect.slow_factor;
  world.options.raise_percent = settings_.resource.raise_percent;
  world.options.critical_percent = settings_.resource.critical_percent;
  world.options.clear_percent = settings_.resource.clear_percent;
  for (const std::string& text : settings_.resource.limits) {
    if (auto limits = ParseResourceLimits(text))
      world.options.resource_limits.push_back(
          {limits->name, limits->raise_percent, limits->critical_percent, limits->clear_percent});
  }
  world.options.periodic = settings_.periodic.calendar;
  world.options.filesystems = settings_.watch.filesystems;
  world.options.state_dir = settings_.spool.path;
  world.subject = [this](uint32_t dev) { return devices_->SubjectOf(dev); };
  // A device that vanished with its failure was watched, or the kernel would not have told.
  world.watched = [this](uint32_t dev) {
    const BlockDevice* device = devices_->Find(dev);
    return device == nullptr || device->watched;
  };
  world.related = [this](uint32_t dev) { return devices_->RelatedTo(dev); };
  world.below = [this](uint32_t dev) { return devices_->BelowOf(dev); };
  world.whole_disk = [this](uint32_t dev) { return devices_->WholeDisk(dev); };
  world.disk_by_name = [this](const std::string& name) {
    const BlockDevice* device = devices_->FindByName(name);
    return device == nullptr ? 0 : device->dev;
  };
  world.endpoint = [this](const IpAddress& address, uint16_t port) {
    return endpoints_->Find(address, port);
  };
  world.disk_flows = [this] { return disk_flows_->Read(devices_->All()); };
  world.blocked_tasks = [this] {
    const auto text = block_probe_->BlockedTasksText();
    return text ? ParseBlockedTasks(*text) : std::vector<BlockedTask>();  // Status() says why
  };
  world.tightly_limited = [this](uint64_t id, uint32_t hierarchy) -> std::optional<std::vector<uint32_t>> {
    const auto folders = clients_->Folders(id, hierarchy);
    if (!folders) return std::nullopt;
    return TightlyLimitedDisks(*folders);
  };
  world.client = [this](uint64_t id, uint32_t hierarchy) { return clients_->Resolve(id, hierarchy); };
  world.identity = [this](uint32_t dev) {
    const BlockDevice* device = devices_->Find(dev);
    return device == nullptr ? v1::Subject() : device->subject;
  };
  world.fault_totals = [this] { return fault_probes_->Counts(); };
  world.latencies = [this] { return LastSecondOfDisks(); };
  world.op_name = OpName;
  world.status_name = StatusName;
  world.request_flag_names = RequestFlagNames;
  world.submit = [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
    launcher_.Submit(request, std::move(done));
  };
  world.filesystems = [this] { return filesystems_->Mounted(); };
  world.other_filesystems = [this] { return filesystems_->MountedWithoutDisk(settings_.node.name); };
  world.filesystem = [this](uint32_t dev) { return filesystems_->Of(dev); };
  world.dev_by_name = [this](const std::string& name) { return filesystems_->DevOf(name); };
  return world;
}

std::vector<DiskLatency> Daemon::LastSecondOfDisks() const {
  std::vector<DiskLatency> disks;
  for (const BlockDevice* device : devices_->All()) {
    if (!device->watched) continue;
    const LatencyFigures figures = latencies_->LastSecond(device->dev);
    if (figures.reads == 0 && figures.writes == 0) continue;
    const DiskBytes bytes = disk_bytes_.LastSecond(device->dev);
    disks.push_back({device->dev,
                     {figures.reads, figures.read_p50_ns, figures.read_p99_ns, bytes.read},
                     {figures.writes, figures.write_p50_ns, figures.write_p99_ns, bytes.written}});
  }
  return disks;
}

void Daemon::StartDetectors() {
  detectors_ =
      MakeDetectors(World(), [this](const v1::Event& event, EventPhase phase) { OnEvent(event, phase); });
  store_events_ = std::make_unique<StoreEvents>(
      World(), [this] { return BelowStore(); },
      [this](const v1::Event& event, EventPhase phase) { OnEvent(event, phase); });
}

}  // namespace ffdc
