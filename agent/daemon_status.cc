// SPDX-License-Identifier: Apache-2.0
// What the agent tells of itself.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/clock.h"
#include "base/fs.h"
#include "daemon.h"

namespace ffdc {
namespace {

uint64_t RssBytes() {
  // proc(5), statm: size resident ... in pages
  const std::string text = ReadLine("/proc/self/statm");
  const size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return std::strtoull(text.c_str() + space, nullptr, 10) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::vector<v1::Probe> Daemon::Probes() const {
  std::vector<v1::Probe> probes = block_probe_->Status();
  for (const ProbeSourcePtr& source : probe_sources_) {
    for (v1::Probe& probe : source->Status()) probes.push_back(std::move(probe));
  }
  return probes;
}

v1::Status Daemon::GetStatus() {
  v1::Status status;
  status.set_node(settings_.node.name);
  status.set_cluster(settings_.node.cluster);
  status.set_version(FFDC_VERSION);
  status.mutable_started_at()->set_seconds(started_wall_ns_ / kNsPerSecond);
  const std::vector<v1::Probe> probes = Probes();
  for (const v1::Probe& probe : probes) {
    if (probe.active()) {
      status.set_probes_active(status.probes_active() + 1);
    } else if (probe.idle()) {
      status.set_probes_idle(status.probes_idle() + 1);
    } else {
      status.set_probes_inactive(status.probes_inactive() + 1);
    }
  }
  status.set_incidents_open(incidents_->open());
  status.set_incidents_total(incidents_->total());
  status.set_recoveries_alone(incidents_->recoveries_alone());
  *status.mutable_store() = shipper_->store_status();
  *status.mutable_spool() = shipper_->spool_status();
  status.set_rss_bytes(RssBytes());
  status.set_workers_running(launcher_.running());
  status.set_workers_abandoned(launcher_.abandoned());
  v1::RecorderStatus& recorder = *status.mutable_recorder();
  recorder.set_io_budget_bytes(settings_.recorder.io_max_bytes);
  uint64_t oldest_ns = 0;
  recorder.set_io_records(block_probe_->history_records(&oldest_ns));
  if (oldest_ns != 0) recorder.set_io_window_ns(SystemClock().MonotonicNs() - oldest_ns);
  recorder.set_history_samples(history_->samples());
  recorder.set_history_bytes(history_->bytes());
  recorder.set_history_window_ns(history_->samples() * kNsPerSecond);
  if (history_->dropped() != 0) {
    v1::Loss& loss = *status.add_losses();
    loss.set_what("history_1hz.dropped");
    loss.set_count(history_->dropped());
    loss.set_detail("samples that gave way before their hour was over: see [recorder] history_max_bytes");
  }
  FillDevices(status);
  FillProblems(status, probes);
  for (v1::Subscriber& subscriber : subscribers_->Status()) {
    if (!subscriber.error().empty())
      status.add_problems("subscriber " + subscriber.server() + " is not told: " + subscriber.error());
    *status.add_subscribers() = std::move(subscriber);
  }
  *status.mutable_cluster_status() = cluster_->Status();
  cluster_->AddProblems(status);
  return status;
}

void Daemon::FillDevices(v1::Status& status) {
  std::map<uint32_t, uint64_t> failures;
  for (const auto& [key, entry] : block_probe_->FailureCounts()) failures[key.dev] += entry.total;
  for (const BlockDevice* device : devices_->All()) {
    v1::WatchedDevice& shown = device->watched ? *status.add_devices() : *status.add_ignored_devices();
    shown.set_name(device->name);
    shown.set_id(device->subject.id());
    shown.set_type(device->type);
    shown.set_reason(device->reason);
    if (!device->watched) continue;
    shown.set_completions(latencies_->completions(device->dev));
    shown.set_failures(failures[device->dev]);
    const LatencyFigures figures = latencies_->LastMinute(device->dev);
    shown.set_read_p50_ns(figures.read_p50_ns);
    shown.set_read_p99_ns(figures.read_p99_ns);
    shown.set_write_p50_ns(figures.write_p50_ns);
    shown.set_write_p99_ns(figures.write_p99_ns);
    if (!device->iostats) shown.set_reason("queue/iostats is 0: the kernel does not time its requests");
  }
}

void Daemon::FillProblems(v1::Status& status, const std::vector<v1::Probe>& probes) const {
  const auto add = [&](const std::string& text) { status.add_problems(text); };
  for (const v1::Probe& probe : probes) {
    if (!probe.active() && !probe.idle()) add("probe " + probe.name() + " is inactive: " + probe.reason());
    if (probe.drops() != 0)
      add("probe " + probe.name() + " lost " + std::to_string(probe.drops()) + " records");
  }
  if (status.devices().empty()) add("no block device is watched: see [devices] in the configuration");
  if (!status.store().error().empty()) add(status.store().error());
  if (!space_->problem().empty()) add(space_->problem());
  if (!status.spool().error().empty()) add("spool " + status.spool().path() + ": " + status.spool().error());
  if (!index_->problem().empty()) add(index_->problem());
  for (const std::string& problem : runner_->problems()) add(problem);
  for (const auto& detector : detectors_) {
    for (const std::string& problem : detector->Problems()) add(problem);
  }
  if (status.spool().dropped() != 0)
    add(std::to_string(status.spool().dropped()) + " captures were dropped: the spool is limited to " +
        FormatSize(status.spool().max_bytes()));
  if (launcher_.abandoned() != 0)
    add(std::to_string(launcher_.abandoned()) + " workers hang in the kernel and were abandoned");
}

v1::ProbeList Daemon::ListProbes() const {
  v1::ProbeList list;
  for (v1::Probe& probe : Probes()) *list.add_probes() = std::move(probe);
  list.set_runs_counted(ReadLine("/proc/sys/kernel/bpf_stats_enabled") == "1");
  return list;
}

void Daemon::MeasureProbes(std::chrono::nanoseconds time, std::function<void(Result<v1::ProbeList>)> done) {
  Result<Fd> statistics = EnableProgramStats();
  if (!statistics) return done(Unexpected(statistics.error()));
  // The kernel counts as long as somebody holds the descriptor.
  auto held = std::make_shared<const Fd>(std::move(*statistics));
  const uint64_t begun_ns = SystemClock().MonotonicNs();
  loop_.After(time, [this, held, begun_ns, before = Probes(), done = std::move(done)] {
    v1::ProbeList list = ListProbes();
    list.set_runs_counted(true);
    list.set_measured_ns(SystemClock().MonotonicNs() - begun_ns);
    for (v1::Probe& probe : *list.mutable_probes()) {
      for (const v1::Probe& former : before) {
        // Fewer than before: its programs were loaded anew.
        if (former.name() != probe.name() || former.runs() > probe.runs()) continue;
        probe.set_runs(probe.runs() - former.runs());
        probe.set_run_time_ns(probe.run_time_ns() - former.run_time_ns());
      }
    }
    done(std::move(list));
  });
}

v1::EventList Daemon::ListEvents(uint32_t limit) const {
  std::vector<const v1::Event*> events;
  for (const v1::Incident* incident : incidents_->List(0, "")) {
    for (const v1::Event& event : incident->events()) events.push_back(&event);
  }
  const auto shown = std::min<size_t>(events.size(), limit);
  std::partial_sort(events.begin(), events.begin() + static_cast<ptrdiff_t>(shown), events.end(),
                    [](const v1::Event* a, const v1::Event* b) { return a->id() > b->id(); });
  events.resize(shown);
  v1::EventList list;
  for (const v1::Event* event : events) *list.add_events() = *event;
  return list;
}

v1::ResourceList Daemon::ListResources() const {
  v1::ResourceList list;
  for (const auto& detector : detectors_) detector->AddResources(list);
  return list;
}

v1::Config Daemon::GetConfig() const {
  v1::Config config;
  config.set_path(config_path_);
  for (const std::string& file : settings_.files) {
    if (file != config_path_) config.add_drop_ins(file);
  }
  for (const SettingText& setting : DescribeSettings(settings_)) {
    v1::Setting& shown = *config.add_settings();
    shown.set_key(setting.key);
    shown.set_value(setting.value);
    shown.set_default_value(setting.default_value);
    shown.set_is_default(setting.is_default);
  }
  return config;
}

Result<std::string> Daemon::Delete(const std::string& prefix, std::function<void(Result<uint64_t>)> done) {
  FFDC_ASSIGN(const v1::Incident* incident, incidents_->Find(prefix));
  const std::string id = incident->id();
  if (incident->pinned())
    return Fail("incident " + id + " is pinned: unpin it first ('ffdcctl incident unpin " + id + "')", EBUSY);
  if (incident->state() == v1::OPEN)
    return Fail("incident " + id + " is still open: wait until its subject is quiet", EBUSY);
  shipper_->Remove(id, [this, id, done = std::move(done)](Result<uint64_t> freed) {
    if (freed) {
      incidents_->Forget(id);
      index_->Delete(id);
      cluster_->OnIncidentDeleted(id);
    }
    done(std::move(freed));
  });
  return id;
}

// A person deleted it on another node, perhaps while this one was away. What is pinned here stays.
void Daemon::OnDeletedElsewhere(const std::string& id) {
  const v1::Incident* incident = incidents_->Get(id);
  if (incident == nullptr || incident->pinned()) return;
  shipper_->Remove(id, [this, id](const Result<uint64_t>& freed) {
    // The other node may have taken all of it out of the store.
    if (!freed && freed.error().code != ENOENT)
      return spdlog::warn("incident {}, deleted on another node, is kept: {}", id, freed.error().message);
    incidents_->Forget(id);
    index_->Delete(id);
    spdlog::info("incident {} was deleted on another node", id);
  });
}

Result<v1::Incident> Daemon::Dump(const std::string& reason, bool all_nodes,
                                  const std::vector<std::string>& nodes) {
  FFDC_ASSIGN(const std::vector<std::string> others, cluster_->FindNodes(all_nodes, nodes));
  const v1::Incident& incident = incidents_->OpenManual(reason);
  cluster_->Alert(incident, incident.events(0), others);
  return incident;
}

Result<v1::WatchDeviceReply> Daemon::WatchDevice(const std::string& name, bool watch) {
  FFDC_ASSIGN(const BlockDevice* device, devices_->SetOverride(name, watch));
  v1::WatchDeviceReply reply;
  reply.set_watching(device->watched);
  reply.set_subject_id(device->subject.id());
  return reply;
}

}  // namespace ffdc
