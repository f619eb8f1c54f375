// SPDX-License-Identifier: Apache-2.0
// One node as its detectors see it: a disk, a filesystem on it, workers that answer as told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {

class NodeFixture : public testing::Test {
 protected:
  static constexpr uint32_t kDisk = 253u << FFDC_DEV_MINOR_BITS;
  static constexpr uint32_t kBtrfsDev = 45;  // 0:45

  NodeFixture() : ids_(clock_) {
    Filesystem data;
    data.dev = data.stat_dev = data.disk = kDisk;
    data.id = "fs:1234-abcd";
    data.device = "dm-0";
    data.type = "ext4";
    data.points = {"/srv/data", "/mnt/bind"};
    mounted_ = {data};
  }

  void Start() {
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.options = options_;
    world.subject = [](uint32_t dev) {
      v1::Subject subject;
      subject.set_type("block_device");
      subject.set_id("dm:data" + std::to_string(FFDC_DEV_MINOR(dev)));
      subject.set_name("dm-" + std::to_string(FFDC_DEV_MINOR(dev)));
      return subject;
    };
    world.related = [](uint32_t) { return std::vector<std::string>{"wwid:below"}; };
    world.watched = [this](uint32_t dev) { return !ignored_.contains(dev); };
    world.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      client.set_type(id == 0 ? "kernel" : "systemd_unit");
      client.set_name("unit" + std::to_string(id));
      client.set_cgroup("/" + std::to_string(id));
      return client;
    };
    world.op_name = world.status_name = [](uint8_t value) { return std::to_string(value); };
    world.request_flag_names = [](uint32_t) { return std::vector<std::string>(); };
    world.filesystems = [this] { return mounted_; };
    world.other_filesystems = [this] { return others_; };
    world.filesystem = [this](uint32_t dev) {
      for (const Filesystem& filesystem : mounted_)
        if (filesystem.dev == dev || filesystem.stat_dev == dev) return filesystem;
      Filesystem unmounted;
      unmounted.dev = unmounted.stat_dev = unmounted.disk = dev;
      unmounted.id = "fs:unmounted" + std::to_string(FFDC_DEV_MINOR(dev));
      unmounted.device = "dm-" + std::to_string(FFDC_DEV_MINOR(dev));
      return unmounted;
    };
    world.dev_by_name = [](const std::string& name) {
      return name.starts_with("dm-") ? kDisk + static_cast<uint32_t>(std::stoul(name.substr(3))) : 0;
    };
    world.submit = [this](const WorkerRequest& request, std::function<void(WorkerReport)> done) {
      asked_.emplace_back(request, std::move(done));
    };
    detectors_ = MakeDetectors(world, [this](const v1::Event& event, EventPhase phase) {
      if (kinds_.contains(event.kind())) events_.emplace_back(event, phase);
    });
  }

  void Tick(uint64_t seconds = 1) {
    for (uint64_t i = 0; i < seconds; ++i) {
      clock_.now_ns += kSecond;
      for (auto& detector : detectors_) detector->OnTick({});
    }
  }
  void Log(const std::string& text, uint32_t facility = 0) {
    const KernelMessage message{3, facility, clock_.now_ns, text, ""};
    for (auto& detector : detectors_) detector->OnKernelMessage(message);
  }
  template <class Record>
  void Send(Record record, uint32_t kind) {
    record.header = {kind, sizeof record, clock_.now_ns};
    for (auto& detector : detectors_) detector->OnRecord(record.header);
  }
  // The worker that was asked for longest ago reports. false: none of that task was.
  bool Answer(const std::string& task, WorkerOutcome outcome, const std::string& text) {
    const auto found = std::find_if(asked_.begin(), asked_.end(),
                                    [&](const auto& asked) { return asked.first.task == task; });
    if (found == asked_.end()) return false;
    const auto done = std::move(found->second);
    last_argument_ = found->first.argument;
    asked_.erase(found);
    WorkerReport report;
    report.outcome = outcome;
    (outcome == WorkerOutcome::kOk ? report.reply : report.error) = text;
    done(report);
    return true;
  }
  // What was asked longest ago of that task; nullptr: nothing.
  [[nodiscard]] const WorkerRequest* Asked(const std::string& task) const {
    for (const auto& [request, done] : asked_)
      if (request.task == task) return &request;
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> Problems() const {
    std::vector<std::string> all;
    for (const auto& detector : detectors_)
      for (std::string& problem : detector->Problems()) all.push_back(std::move(problem));
    return all;
  }
  [[nodiscard]] size_t Count(EventPhase phase) const {
    return static_cast<size_t>(std::count_if(events_.begin(), events_.end(),
                                             [&](const auto& event) { return event.second == phase; }));
  }
  static std::string Fact(const v1::Event& event, const std::string& name) {
    for (const v1::Fact& fact : event.facts())
      if (fact.name() == name) return fact.value();
    return {};
  }
  static bool IsRelated(const v1::Event& event, const std::string& id) {
    return std::count(event.related_ids().begin(), event.related_ids().end(), id) == 1;
  }

  FakeClock clock_;
  UuidGenerator ids_;
  DetectorOptions options_;
  std::set<std::string> kinds_;  // the events to look at
  std::set<uint32_t> ignored_;
  std::vector<Filesystem> mounted_;
  std::vector<Filesystem> others_;  // that lie on no disk
  std::deque<std::pair<WorkerRequest, std::function<void(WorkerReport)>>> asked_;
  std::string last_argument_;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

}  // namespace ffdc
