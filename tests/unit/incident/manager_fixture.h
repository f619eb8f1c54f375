// SPDX-License-Identifier: Apache-2.0
// An incident manager with a clock of its own, and what it told.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/units.h"
#include "incident/manager.h"

namespace ffdc {

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() : ids_(clock_) { manager_ = Make(); }

  std::unique_ptr<IncidentManager> Make() {
    return std::make_unique<IncidentManager>(
        IncidentOptions{"node-a", "lab", std::chrono::seconds(60)}, clock_, ids_,
        IncidentCallbacks{
            [this](const v1::Incident& incident, const v1::Event&) { opened_.push_back(incident.id()); },
            [this](const v1::Incident& incident) { closed_.push_back(incident.id()); },
            [this](const v1::Incident& incident) {
              written_[incident.id()] = incident;
              ++changes_;
            }});
  }

  v1::Event Event(const std::string& subject, const std::string& id) const {
    v1::Event event;
    event.set_id(id);
    event.set_kind("io.error");
    event.set_severity(v1::CRITICAL);
    event.mutable_subject()->set_id(subject);
    event.set_first_mono_ns(clock_.now_ns);
    event.set_last_mono_ns(clock_.now_ns);
    event.mutable_first_at()->set_seconds(clock_.RealtimeNs() / static_cast<int64_t>(kSecond));
    *event.mutable_last_at() = event.first_at();
    event.set_summary(subject + " failed");
    return event;
  }

  v1::Manifest Sealed(const std::string& id, const v1::Event& trigger) const {
    v1::Manifest manifest;
    manifest.set_incident_id(id);
    manifest.set_node("node-a");
    manifest.set_cluster("lab");
    *manifest.mutable_trigger() = trigger;
    manifest.set_archive_bytes(1234);
    manifest.add_collectors()->set_outcome(v1::OK);
    manifest.add_collectors()->set_outcome(v1::TIMED_OUT);
    return manifest;
  }

  FakeClock clock_;
  UuidGenerator ids_;
  std::vector<std::string> opened_;
  std::vector<std::string> closed_;
  std::map<std::string, v1::Incident> written_;
  int changes_ = 0;
  std::unique_ptr<IncidentManager> manager_;
};

}  // namespace ffdc
