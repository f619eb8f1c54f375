// SPDX-License-Identifier: Apache-2.0
// resource.threshold: a local filesystem, a thin pool or the store's Ceph pool is filled over
// its limit. One event a crossing: it opens at raise_percent, is critical from critical_percent
// on, and ends below clear_percent. NFS is left out: its server is the one to watch it.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "detect/detect_tasks.h"
#include "detect/detector.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

constexpr uint64_t kIntervalNs = 10'000'000'000;
// A worker that hangs in the kernel stays there: not one more every ten seconds.
constexpr uint64_t kAfterHangNs = 600'000'000'000;
constexpr std::chrono::seconds kDeadline{5};
constexpr size_t kMaxMounts = 512;
constexpr uint8_t kStatusNoSpace = 3;  // blk_status_t

// Rounded up, as df(1) has it. Nothing is full of nothing.
uint32_t Percent(uint64_t used, uint64_t total) {
  if (total == 0) return 0;
  const auto exact = static_cast<long double>(used) * 100 / static_cast<long double>(total);
  const auto whole = static_cast<uint32_t>(exact);
  return exact > whole ? whole + 1 : whole;
}

// One of the two questions that a worker answers every ten seconds.
struct Survey {
  uint64_t next_ns = 0;
  bool running = false;
  std::string problem;
};

class ResourceThresholdDetector final : public Detector {
 public:
  ResourceThresholdDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "resource.threshold", v1::RESOURCE) {}

  // A write that found no space does not wait for its turn.
  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_RECORD_BIO_ERROR) return;
    if (reinterpret_cast<const ffdc_block_error&>(header).status == kStatusNoSpace) pools_.next_ns = 0;
  }

  // Against its quota and against what the cluster could still take: whichever is nearer is what fills.
  void OnSpace(const PoolFill& pool) override {
    const auto judge = [&](const char* resource, uint64_t used, uint64_t total) {
      Judge(pool.id, {resource, used, total}, [&](v1::Event& event) {
        event.mutable_subject()->set_type("ceph_pool");
        event.mutable_subject()->set_id(pool.id);
        event.mutable_subject()->set_name(pool.name);
        event.add_related_ids(pool.id.substr(0, pool.id.find('/')));  // the cluster
      });
    };
    judge("space", pool.used_bytes, pool.total_bytes);
    judge("quota", pool.used_bytes, pool.quota_bytes);
    judge("objects", pool.objects, pool.quota_objects);
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    events_.Tick(false);
    if (!world().submit) return;
    if (IsDue(filesystems_)) AskFilesystems();
    // Only a module that is loaded has pools; sysfs does not wait for anything.
    if (IsDue(pools_) && access("/sys/module/dm_thin_pool", F_OK) == 0) AskPools();
  }

  [[nodiscard]] std::vector<std::string> Problems() const override {
    std::vector<std::string> problems;
    for (const Survey* survey : {&filesystems_, &pools_})
      if (!survey->problem.empty()) problems.push_back(survey->problem);
    return problems;
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }
  [[nodiscard]] bool IsDue(const Survey& survey) const {
    return !survey.running && world().clock->MonotonicNs() >= survey.next_ns;
  }

  void AskFilesystems() {
    if (!world().filesystems) return;
    asked_ = Watched();
    std::string argument;
    for (const Filesystem& filesystem : asked_) argument += filesystem.points.front() + '\0';
    if (argument.empty() || argument.size() > kMaxArgumentBytes) {
      filesystems_.next_ns = world().clock->MonotonicNs() + kIntervalNs;
      return;
    }
    Ask(filesystems_, "detect.fill_levels", argument, "the fill levels of filesystems",
        [this](const std::string& reply) {
          for (const MountLevels& mount : ParseMountLevels(reply)) {
            if (mount.index >= asked_.size()) continue;
            for (const FillLevel& level : mount.levels) Judge(asked_[mount.index], level);
          }
        });
  }

  void AskPools() {
    Ask(pools_, "detect.thin_pools", "", "the fill levels of thin pools", [this](const std::string& reply) {
      for (const ThinPool& pool : ParseThinPools(reply)) {
        if (!world().watched(pool.dev)) continue;
        for (const FillLevel& level : pool.levels) Judge(pool, level);
      }
    });
  }

  void Ask(Survey& survey, const char* task, const std::string& argument, const std::string& what,
           std::function<void(const std::string&)> take) {
    survey.running = true;
    WorkerRequest request;
    request.task = task;
    request.argument = argument;
    request.deadline = kDeadline;
    world().submit(request, [this, &survey, what, take = std::move(take)](const WorkerReport& report) {
      const bool hung =
          report.outcome == WorkerOutcome::kTimedOut || report.outcome == WorkerOutcome::kAbandoned;
      survey.running = false;
      survey.next_ns = world().clock->MonotonicNs() + (hung ? kAfterHangNs : kIntervalNs);
      survey.problem.clear();
      if (report.outcome == WorkerOutcome::kOk) {
        take(report.reply);
      } else {
        survey.problem = "cannot read " + what + ": " + report.error;
      }
    });
  }

  // What a person may write to, on a disk that is watched: an image that is read-only is always full.
  [[nodiscard]] std::vector<Filesystem> Watched() const {
    const std::vector<std::string>& wanted = world().options.filesystems;
    std::vector<Filesystem> watched;
    for (Filesystem& filesystem : world().filesystems()) {
      if (filesystem.read_only || filesystem.points.empty() || watched.size() >= kMaxMounts) continue;
      const auto named = std::find_first_of(filesystem.points.begin(), filesystem.points.end(),
                                            wanted.begin(), wanted.end());
      if (wanted.empty() ? !world().watched(filesystem.disk) : named == filesystem.points.end()) continue;
      watched.push_back(std::move(filesystem));
    }
    return watched;
  }

  void Judge(const Filesystem& filesystem, const FillLevel& level) {
    Judge(filesystem.id, level, [&](v1::Event& event) {
      event.mutable_subject()->set_type("filesystem");
      event.mutable_subject()->set_id(filesystem.id);
      event.mutable_subject()->set_name(filesystem.points.front());
      for (const std::string& point : filesystem.points) event.add_related_ids("mount:" + point);
      AddDisk(event, filesystem.disk);
    });
  }

  void Judge(const ThinPool& pool, const FillLevel& level) {
    const v1::Subject disk = world().subject(pool.dev);
    Judge(disk.id(), level, [&](v1::Event& event) {
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

  void Judge(const std::string& id, const FillLevel& level, const OpenEvents::Fill& fill) {
    const DetectorOptions& limits = world().options;
    const std::string key = id + " " + level.resource;
    const uint64_t now = world().clock->MonotonicNs();
    const uint32_t percent = Percent(level.used, level.total);
    v1::Event* open = events_.Find(key);
    if (open == nullptr && percent < limits.raise_percent) return;
    if (percent < limits.clear_percent) {
      events_.End(key, now);
      return;
    }
    v1::Event& event = events_.Note(key, now, open == nullptr ? 1 : 0, [&](v1::Event& fresh) {
      fill(fresh);
      fresh.set_severity(v1::WARNING);
      SetFact(fresh, "resource", level.resource);
    });
    if (percent >= limits.critical_percent) event.set_severity(v1::CRITICAL);
    const bool counted = level.resource == "inodes" || level.resource == "objects";
    const std::string unit = counted ? level.resource : "bytes";
    SetFact(event, "used_percent", std::to_string(percent));
    SetFact(event, "used_" + unit, std::to_string(level.used));
    SetFact(event, "total_" + unit, std::to_string(level.total));
    event.set_summary(event.subject().name() + ": " + std::to_string(percent) + "% of its " + level.resource +
                      " is used");
    events_.Publish(key);
  }

  OpenEvents events_;
  Survey filesystems_;
  Survey pools_;
  std::vector<Filesystem> asked_;  // in the order of the worker's argument
};

FFDC_REGISTER_DETECTOR("resource.threshold",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<ResourceThresholdDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
