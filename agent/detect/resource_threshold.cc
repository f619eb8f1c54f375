// SPDX-License-Identifier: Apache-2.0
// resource.threshold: a filesystem, a thin pool or the store's Ceph pool is filled over its limit.
// One event a crossing: it opens at raise_percent, is critical from critical_percent on, and ends
// below clear_percent.
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/block_dev.h"
#include "detect/detect_tasks.h"
#include "detect/detector.h"
#include "detect/fill_survey.h"
#include "detect/open_events.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc {
namespace {

constexpr uint64_t kIntervalNs = 10'000'000'000;
// A worker that hangs in the kernel stays there: not one more every ten seconds.
constexpr uint64_t kAfterHangNs = 600'000'000'000;
constexpr std::chrono::seconds kDeadline{5};

// Rounded up, as df(1) has it. Nothing is full of nothing.
uint32_t Percent(uint64_t used, uint64_t total) {
  if (total == 0) return 0;
  const auto exact = static_cast<long double>(used) * 100 / static_cast<long double>(total);
  const auto whole = static_cast<uint32_t>(exact);
  return exact > whole ? whole + 1 : whole;
}

// "images 900, dump 75"
void AddUse(std::string* text, const std::string& name, uint64_t bytes) {
  *text += (text->empty() ? "" : ", ") + name + " " + std::to_string(bytes);
}

class ResourceThresholdDetector final : public Detector {
 public:
  ResourceThresholdDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "resource.threshold", v1::RESOURCE),
        survey_(events_.world(), [this](const Filesystem& filesystem, const MountLevels& mount) {
          TakeMount(filesystem, mount);
        }) {}

  // A write that found no space does not wait for its turn.
  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_RECORD_BIO_ERROR) return;
    if (reinterpret_cast<const ffdc_block_error&>(header).status == kStatusNoSpace) next_pools_ns_ = 0;
  }

  // Against its quota and against what the cluster could still take: whichever is nearer is what fills.
  void OnSpace(const PoolFill& pool) override {
    const auto judge = [&](const char* resource, uint64_t used, uint64_t total) {
      v1::Resource known;
      known.set_type("ceph_pool");
      known.set_id(pool.id);
      known.set_name(pool.name);
      Judge(known, {pool.name}, {resource, used, total}, [&](v1::Event& event) {
        event.mutable_subject()->set_type("ceph_pool");
        event.mutable_subject()->set_id(pool.id);
        event.mutable_subject()->set_name(pool.name);
        event.add_related_ids(pool.id.substr(0, pool.id.find('/')));  // the cluster
        std::string largest;
        for (const auto& [name, bytes] : pool.largest_pools) AddUse(&largest, name, bytes);
        if (!largest.empty()) SetFact(event, "largest_pools_bytes", largest);
      });
    };
    judge("space", pool.used_bytes, pool.total_bytes);
    judge("quota", pool.used_bytes, pool.quota_bytes);
    judge("objects", pool.objects, pool.quota_objects);
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    events_.Tick(false);
    survey_.Tick();
    Forget("filesystem", [this](const std::string& id) { return survey_.IsWatched(id); });
    if (!world().submit || asking_pools_ || world().clock->MonotonicNs() < next_pools_ns_) return;
    // Only a module that is loaded has pools; sysfs does not wait for anything.
    if (access("/sys/module/dm_thin_pool", F_OK) == 0) AskPools();
  }

  void AddResources(v1::ResourceList& list) const override {
    std::set<std::string> listed;
    for (const auto& [key, resource] : resources_) {
      v1::Resource& shown = *list.add_resources();
      shown = resource;
      listed.insert(resource.id());
      const auto hanging = survey_.hanging().find(resource.id());
      if (hanging != survey_.hanging().end()) SetUnreachable(shown, hanging->second.error);
      if (resource.type() == "thin_pool" && !pools_problem_.empty()) SetUnreachable(shown, pools_problem_);
    }
    for (const auto& [id, hanging] : survey_.hanging()) {
      if (listed.contains(id)) continue;
      v1::Resource& shown = *list.add_resources();
      Describe(shown, hanging.filesystem);
      SetUnreachable(shown, hanging.error);
    }
  }

  [[nodiscard]] std::vector<std::string> Problems() const override {
    std::vector<std::string> problems = survey_.Problems();
    if (!pools_problem_.empty()) problems.push_back(pools_problem_);
    return problems;
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }

  static void SetUnreachable(v1::Resource& resource, const std::string& error) {
    resource.set_state(v1::RESOURCE_UNREACHABLE);
    resource.set_error(error);
  }

  void Describe(v1::Resource& resource, const Filesystem& filesystem) const {
    resource.set_type("filesystem");
    resource.set_id(filesystem.id);
    resource.set_name(filesystem.points.front());
    resource.set_resource("space");
    resource.set_unit("bytes");
    resource.set_filesystem_type(filesystem.type);
    SetLimits(resource, LimitsOf(filesystem.points));
  }

  static void SetLimits(v1::Resource& resource, const ResourceLimit& limits) {
    resource.set_raise_percent(limits.raise_percent);
    resource.set_critical_percent(limits.critical_percent);
    resource.set_clear_percent(limits.clear_percent);
  }

  // By any of its names.
  [[nodiscard]] ResourceLimit LimitsOf(const std::vector<std::string>& names) const {
    const DetectorOptions& options = world().options;
    for (const ResourceLimit& limit : options.resource_limits) {
      if (std::find(names.begin(), names.end(), limit.name) != names.end()) return limit;
    }
    return {{}, options.raise_percent, options.critical_percent, options.clear_percent};
  }

  // What is no longer there is over, and no longer listed.
  template <class Keep>
  void Forget(const std::string& type, const Keep& keep) {
    std::erase_if(resources_, [&](const auto& entry) {
      const bool gone = entry.second.type() == type && !keep(entry.second.id());
      if (gone) events_.End(entry.first, world().clock->MonotonicNs());
      return gone;
    });
  }

  void TakeMount(const Filesystem& filesystem, const MountLevels& mount) {
    for (const FillLevel& level : mount.levels) Judge(filesystem, level);
    if (mount.error == 0) return;
    const std::string error = "cannot be read: " + std::string(strerrordesc_np(mount.error));
    bool listed = false;
    for (auto& [key, resource] : resources_) {
      if (resource.id() != filesystem.id) continue;
      SetUnreachable(resource, error);
      listed = true;
    }
    if (listed) return;
    v1::Resource& resource = resources_[filesystem.id + " space"];
    Describe(resource, filesystem);
    SetUnreachable(resource, error);
  }

  void AskPools() {
    asking_pools_ = true;
    WorkerRequest request;
    request.task = "detect.thin_pools";
    request.deadline = kDeadline;
    world().submit(request, [this](const WorkerReport& report) {
      const bool hung =
          report.outcome == WorkerOutcome::kTimedOut || report.outcome == WorkerOutcome::kAbandoned;
      asking_pools_ = false;
      next_pools_ns_ = world().clock->MonotonicNs() + (hung ? kAfterHangNs : kIntervalNs);
      pools_problem_.clear();
      if (report.outcome == WorkerOutcome::kOk) return TakePools(report.reply);
      pools_problem_ = "cannot read the fill levels of thin pools: " + report.error;
    });
  }

  // Who fills the pool.
  void AskVolumes(const ThinPool& pool, const std::string& key) {
    WorkerRequest request;
    request.task = "detect.thin_volumes";
    request.argument = FormatDev(pool.dev);
    request.deadline = kDeadline;
    world().submit(request, [this, key](const WorkerReport& report) {
      v1::Event* event = events_.Find(key);
      if (event == nullptr || report.outcome != WorkerOutcome::kOk) return;
      std::string text;
      for (const ThinVolume& volume : ParseThinVolumes(report.reply))
        AddUse(&text, volume.name, volume.mapped_bytes);
      if (text.empty()) return;
      SetFact(*event, "thin_volumes_bytes", text);
      events_.Publish(key);
    });
  }

  void TakePools(const std::string& reply) {
    std::set<std::string> there;
    for (const ThinPool& pool : ParseThinPools(reply)) {
      if (!world().watched(pool.dev)) continue;
      there.insert(world().subject(pool.dev).id());
      for (const FillLevel& level : pool.levels) {
        const std::string key = world().subject(pool.dev).id() + " " + level.resource;
        const bool was_open = events_.Find(key) != nullptr;
        Judge(pool, level);
        if (!was_open && events_.Find(key) != nullptr && level.resource == "data") AskVolumes(pool, key);
      }
    }
    Forget("thin_pool", [&](const std::string& id) { return there.contains(id); });
  }

  void Judge(const Filesystem& filesystem, const FillLevel& level) {
    v1::Resource known;
    Describe(known, filesystem);
    Judge(known, filesystem.points, level, [&](v1::Event& event) {
      SetFilesystem(event, world(), filesystem);
      SetFact(event, "fs_type", filesystem.type);
    });
  }

  void Judge(const ThinPool& pool, const FillLevel& level) {
    const v1::Subject disk = world().subject(pool.dev);
    v1::Resource known;
    known.set_type("thin_pool");
    known.set_id(disk.id());
    known.set_name(pool.name);
    Judge(known, {pool.name, disk.name()}, level, [&](v1::Event& event) {
      event.mutable_subject()->set_type("thin_pool");
      event.mutable_subject()->set_id(disk.id());
      event.mutable_subject()->set_name(pool.name);
      AddDisk(event, pool.dev);
      SetFact(event, "mode", pool.mode);
    });
  }

  void AddDisk(v1::Event& event, uint32_t disk) const {
    const std::string id = world().subject(disk).id();
    if (id != event.subject().id()) event.add_related_ids(id);
    for (std::string& related : world().related(disk)) event.add_related_ids(std::move(related));
  }

  // fill: the event's subject and all that stays. known: as the list has it.
  void Judge(const v1::Resource& known, const std::vector<std::string>& names, const FillLevel& level,
             const OpenEvents::Fill& fill) {
    const std::string key = known.id() + " " + level.resource;
    const uint64_t now = world().clock->MonotonicNs();
    if (level.total == 0) {  // no limit, or none any more
      resources_.erase(key);
      return events_.End(key, now);
    }
    const ResourceLimit limits = LimitsOf(names);
    const uint32_t percent = Percent(level.used, level.total);
    v1::Event* open = events_.Find(key);
    const bool over = percent >= (open == nullptr ? limits.raise_percent : limits.clear_percent);
    Note(known, level, limits, percent, over);
    if (!over) return events_.End(key, now);
    v1::Event& event = events_.Note(key, now, open == nullptr ? 1 : 0, [&](v1::Event& fresh) {
      fill(fresh);
      fresh.set_severity(v1::WARNING);
      SetFact(fresh, "resource", level.resource);
    });
    if (percent >= limits.critical_percent) event.set_severity(v1::CRITICAL);
    const std::string unit = UnitOf(level);
    SetFact(event, "used_percent", std::to_string(percent));
    SetFact(event, "used_" + unit, std::to_string(level.used));
    SetFact(event, "total_" + unit, std::to_string(level.total));
    event.set_summary(event.subject().name() + ": " + std::to_string(percent) + "% of its " + level.resource +
                      " is used");
    events_.Publish(key);
  }

  static std::string UnitOf(const FillLevel& level) {
    return level.resource == "inodes" || level.resource == "objects" ? level.resource : "bytes";
  }

  void Note(const v1::Resource& known, const FillLevel& level, const ResourceLimit& limits, uint32_t percent,
            bool over) {
    v1::Resource& resource = resources_[known.id() + " " + level.resource];
    resource = known;
    resource.set_resource(level.resource);
    resource.set_used(level.used);
    resource.set_total(level.total);
    resource.set_unit(UnitOf(level));
    resource.set_used_percent(percent);
    resource.set_state(percent >= limits.critical_percent ? v1::RESOURCE_CRITICAL
                       : over                             ? v1::RESOURCE_WARNING
                                                          : v1::RESOURCE_NORMAL);
    *resource.mutable_sampled_at() =
        google::protobuf::util::TimeUtil::NanosecondsToTimestamp(world().clock->RealtimeNs());
    SetLimits(resource, limits);
  }

  OpenEvents events_;
  FillSurvey survey_;
  std::map<std::string, v1::Resource> resources_;  // by identity and resource, as the open events
  uint64_t next_pools_ns_ = 0;
  bool asking_pools_ = false;
  std::string pools_problem_;
};

FFDC_REGISTER_DETECTOR("resource.threshold",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<ResourceThresholdDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
