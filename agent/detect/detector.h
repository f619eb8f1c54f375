// SPDX-License-Identifier: Apache-2.0
// Turns records into events. One condition is one file in agent/detect/ that
// registers itself (see docs/extending.md); it knows only this interface. Loop
// thread only, never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "ffdc/abi/block.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc {

enum class EventPhase {
  kOpened,   // the condition is new
  kUpdated,  // it goes on: counts, times, clients changed
  kEnded,    // quiet for quiet_after, or over by nature
};
using EventSink = std::function<void(const v1::Event&, EventPhase)>;

// What a detector may ask about the world; daemon.cc answers from the probes.
struct DetectorWorld {
  const Clock* clock = nullptr;
  UuidGenerator* ids = nullptr;
  std::string node;
  std::chrono::nanoseconds quiet_after{60'000'000'000};
  // The identity of a whole disk (major << 20 | minor) and whether it is watched.
  std::function<v1::Subject(uint32_t dev)> subject;
  std::function<bool(uint32_t dev)> watched;
  // Who owns a cgroup; type "" where nobody is known.
  std::function<v1::Client(uint64_t cgroup_id, uint32_t hierarchy)> client;
  std::function<std::string(uint8_t)> op_name;
  std::function<std::string(uint8_t)> status_name;
  std::function<std::vector<std::string>(uint32_t)> request_flag_names;
};

using FailureTotals = std::vector<std::pair<ffdc_storm_key, ffdc_storm_entry>>;

class Detector {
 public:
  virtual ~Detector() = default;
  // One record of the probes, the moment it arrives.
  virtual void OnRecord(const ffdc_record_header& record) = 0;
  // Once a second: the kernel's exact counts. What storm control kept back, and
  // records that were lost, are in them.
  virtual void OnTick(const FailureTotals& totals) = 0;
};

using DetectorFactory = std::unique_ptr<Detector> (*)(const DetectorWorld&, EventSink);
bool RegisterDetector(std::string name, DetectorFactory factory);
// Every registered detector, made for this world.
std::vector<std::unique_ptr<Detector>> MakeDetectors(const DetectorWorld& world, const EventSink& sink);

#define FFDC_REGISTER_DETECTOR(name, factory) \
  [[maybe_unused]] const bool ffdc_detector_registered = ffdc::RegisterDetector(name, factory)

}  // namespace ffdc
