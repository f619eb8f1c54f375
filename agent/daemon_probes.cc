// SPDX-License-Identifier: Apache-2.0
// The sources of observations, and what detectors may ask about the world.
#include "daemon.h"
#include "detect/io_limits.h"
#include "probe/uevents.h"

namespace ffdc {

// One line a source: what it hears goes to every detector.
void Daemon::AddSources() {
  auto faults = FaultProbes::Start(
      AllFaultSets(), [this](const ffdc_record_header& record) { Observe(&Detector::OnRecord, record); });
  fault_probes_ = faults.get();
  probe_sources_.push_back(std::move(faults));
  probe_sources_.push_back(UeventSource::Start(
      {[this](const Uevent& event) { OnUevent(event); }, [this] { devices_->Rescan(); }}));
}

void Daemon::OnUevent(const Uevent& event) {
  devices_->OnUevent(event);
  if (event.subsystem == "module") fault_probes_->ModulesChanged();
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
  world.options.periodic = settings_.periodic.calendar;
  world.options.state_dir = settings_.spool.path;
  world.subject = [this](uint32_t dev) { return devices_->SubjectOf(dev); };
  // A device that vanished with its failure was watched, or the kernel would not have told.
  world.watched = [this](uint32_t dev) {
    const BlockDevice* device = devices_->Find(dev);
    return device == nullptr || device->watched;
  };
  world.related = [this](uint32_t dev) { return devices_->RelatedTo(dev); };
  world.whole_disk = [this](uint32_t dev) { return devices_->WholeDisk(dev); };
  world.disk_by_name = [this](const std::string& name) {
    const BlockDevice* device = devices_->FindByName(name);
    return device == nullptr ? 0 : device->dev;
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
  world.op_name = OpName;
  world.status_name = StatusName;
  world.request_flag_names = RequestFlagNames;
  world.submit = [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
    launcher_.Submit(request, std::move(done));
  };
  return world;
}

void Daemon::StartDetectors() {
  detectors_ =
      MakeDetectors(World(), [this](const v1::Event& event, EventPhase phase) { OnEvent(event, phase); });
}

}  // namespace ffdc
