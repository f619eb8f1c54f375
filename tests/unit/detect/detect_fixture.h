// SPDX-License-Identifier: Apache-2.0
// One detector in a world of disks that the test makes up.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {

class DetectorTest : public testing::Test {
 protected:
  static constexpr uint32_t kSdb = kSda + 16;

  explicit DetectorTest(std::string kind) : ids_(clock_), kind_(std::move(kind)) {
    world_.clock = &clock_;
    world_.ids = &ids_;
    world_.node = "node-a";
    world_.subject = [this](uint32_t dev) { return SubjectOf(dev); };
    world_.identity = world_.subject;
    world_.related = [this](uint32_t dev) { return related_[dev]; };
    world_.watched = [this](uint32_t dev) { return dev != ignored_; };
    world_.disk_by_name = [this](const std::string& name) {
      for (const auto& [dev, known] : names_)
        if (known == name) return dev;
      return 0u;
    };
    world_.client = [](uint64_t id, uint32_t) {
      v1::Client client;
      if (id == 0) return client;
      client.set_type("systemd_unit");
      client.set_name("unit" + std::to_string(id));
      client.set_cgroup("/unit" + std::to_string(id));
      return client;
    };
    world_.op_name = [](uint8_t op) { return op == 0 ? "read" : op == 1 ? "write" : "flush"; };
    world_.status_name = [](uint8_t status) { return "status" + std::to_string(status); };
    world_.request_flag_names = [](uint32_t) { return std::vector<std::string>(); };
    world_.fault_totals = [this] { return totals_; };
  }

  // Events of the other detectors are left out.
  void Start() {
    detectors_ = MakeDetectors(world_, [this](const v1::Event& event, EventPhase phase) {
      if (event.kind() == kind_) events_.emplace_back(event, phase);
    });
  }
  template <class Record>
  void Send(Record record, uint32_t kind) {
    record.header = {kind, sizeof record, clock_.now_ns};
    for (auto& detector : detectors_) detector->OnRecord(record.header);
  }
  void Log(const std::string& text) {
    KernelMessage message;
    message.level = 4;
    message.time_ns = clock_.now_ns;
    message.text = text;
    for (auto& detector : detectors_) detector->OnKernelMessage(message);
  }
  void Tick(uint64_t seconds = 1) {
    for (uint64_t i = 0; i < seconds; ++i) {
      clock_.now_ns += kSecond;
      for (auto& detector : detectors_) detector->OnTick({});
    }
  }
  void Total(uint32_t kind, uint64_t object, uint32_t detail, uint64_t total) {
    for (auto& [key, entry] : totals_) {
      if (key.kind != kind || key.object != object || key.detail != detail) continue;
      entry.total = total;
      entry.last_ns = clock_.now_ns;
      return;
    }
    totals_.push_back({{object, kind, detail}, {total, 0, clock_.now_ns, 0, 0}});
  }
  static std::string FactOf(const v1::Event& event, const std::string& name) {
    for (const v1::Fact& fact : event.facts())
      if (fact.name() == name) return fact.value();
    return {};
  }
  [[nodiscard]] const v1::Event& last() const { return events_.back().first; }
  [[nodiscard]] EventPhase phase() const { return events_.back().second; }

  FakeClock clock_;
  UuidGenerator ids_;
  DetectorWorld world_;
  uint32_t ignored_ = 0;
  std::map<uint32_t, std::string> names_{{kSda, "sda"}, {kSdb, "sdb"}};
  std::map<uint32_t, std::string> models_;
  std::map<uint32_t, std::vector<std::string>> related_;
  FaultTotals totals_;
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;

 private:
  v1::Subject SubjectOf(uint32_t dev) {
    v1::Subject subject;
    subject.set_type("block_device");
    subject.set_name(names_[dev]);
    subject.set_id(names_[dev].starts_with("dm") ? "dm:mpath-1" : "wwid:" + names_[dev]);
    subject.set_model(models_[dev]);
    return subject;
  }
  std::string kind_;
};

}  // namespace ffdc
