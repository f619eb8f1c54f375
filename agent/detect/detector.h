// SPDX-License-Identifier: Apache-2.0
// Turns records into events. One condition is one file in agent/detect/ that
// registers itself (see docs/extending.md); it knows only this interface. Loop
// thread only, never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/blocked_tasks.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/filesystems.h"
#include "base/launcher.h"
#include "base/observations.h"
#include "base/uuid.h"
#include "ffdc/abi/block.h"
#include "ffdc/abi/fault.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc::v1 {
class ResourceList;
}

namespace ffdc {

enum class EventPhase {
  kOpened,   // the condition is new
  kUpdated,  // it goes on: counts, times, clients changed
  kEnded,    // quiet for quiet_after, or over by nature
};
using EventSink = std::function<void(const v1::Event&, EventPhase)>;

// The percentages of one filesystem or pool.
struct ResourceLimit {
  std::string name;  // mount point, name of the device mapper, pool
  uint32_t raise_percent = 75;
  uint32_t critical_percent = 90;
  uint32_t clear_percent = 70;
};

// From the configuration; see packaging/ffdc.toml.
struct DetectorOptions {
  std::chrono::nanoseconds stall_after{2'000'000'000};
  uint32_t retries_per_minute = 60;  // of one device: more is an io.retry event
  uint32_t slow_factor = 5;          // so many times its own baseline
  uint32_t raise_percent = 75;       // resource.threshold
  uint32_t critical_percent = 90;
  uint32_t clear_percent = 70;
  std::vector<ResourceLimit> resource_limits;  // of single resources, before the three above
  std::string periodic;                        // calendar expression; empty: none
  std::vector<std::string> filesystems;        // mount points whose fill level is watched; empty: all
  std::string state_dir;                       // where what was learned survives a restart
};

// What the programs that only failures reach have counted: of one (kind, object, detail), since
// the agent started. The kernel may drop entries where there are too many.
using FaultTotals = std::vector<std::pair<ffdc_fault_key, ffdc_fault_entry>>;

// What a detector may ask about the world; the daemon answers from the probes. A
// detector's constructor must stand that any of these functions is empty (a test
// that does not need it), and no answer may block.
struct DetectorWorld {
  const Clock* clock = nullptr;
  UuidGenerator* ids = nullptr;
  std::string node;
  std::chrono::nanoseconds quiet_after{60'000'000'000};
  DetectorOptions options;
  // The identity of a whole disk (major << 20 | minor) and whether it is watched.
  std::function<v1::Subject(uint32_t dev)> subject;
  std::function<bool(uint32_t dev)> watched;
  // What lies below and above a disk: identities of disks, "mount:<point>". For Event.related_ids.
  std::function<std::vector<std::string>(uint32_t dev)> related;
  // Of these, the disks below it. For Event.below_ids; SetDisk() in open_events.h asks for all.
  std::function<std::vector<std::string>(uint32_t dev)> below;
  // The whole disk of a partition; the disk of a name ("sda", "dm-0"); 0: none.
  std::function<uint32_t(uint32_t dev)> whole_disk;
  std::function<uint32_t(const std::string& name)> disk_by_name;
  // Every watched whole disk, with what ended and what is under way.
  std::function<std::vector<DiskFlow>()> disk_flows;
  // The watched endpoint of that address; nullptr: none. Good until the next call.
  std::function<const Endpoint*(const IpAddress& address, uint16_t port)> endpoint;
  // Who waits uninterruptibly now. Costs a walk over all tasks.
  std::function<std::vector<BlockedTask>()> blocked_tasks;
  // Who owns a cgroup; type "" where nobody is known.
  std::function<v1::Client(uint64_t cgroup_id, uint32_t hierarchy)> client;
  // Disks on which a cgroup is held to so little I/O that it may wait for seconds by order;
  // nullopt: it is gone.
  std::function<std::optional<std::vector<uint32_t>>(uint64_t cgroup_id, uint32_t hierarchy)> tightly_limited;
  std::function<std::string(uint8_t)> op_name;
  std::function<std::string(uint8_t)> status_name;
  std::function<std::vector<std::string>(uint32_t)> request_flag_names;
  // As `subject`, without its users, which take time to find.
  std::function<v1::Subject(uint32_t dev)> identity;
  // Read anew each time: a system call an entry.
  std::function<FaultTotals()> fault_totals;
  // Of the last second, those watched disks that completed reads or writes in it.
  std::function<std::vector<DiskLatency>()> latencies;
  // Runs a worker (base/launcher.h) for what may hang; `done` runs on the loop's thread.
  std::function<void(const WorkerRequest&, std::function<void(WorkerReport)> done)> submit;
  // Every filesystem mounted from a block device; the one of a disk, a partition or an st_dev.
  std::function<std::vector<Filesystem>()> filesystems;
  std::function<Filesystem(uint32_t dev)> filesystem;
  // Every mounted filesystem that has room of its own and lies on no block device: of a network, in
  // memory, of a process.
  std::function<std::vector<Filesystem>()> other_filesystems;
  // The number of a disk or partition by its name, "sda1"; 0: none.
  std::function<uint32_t(const std::string& name)> dev_by_name;
};

using FailureTotals = std::vector<std::pair<ffdc_storm_key, ffdc_storm_entry>>;

// Override what the condition shows itself in.
class Detector {
 public:
  virtual ~Detector() = default;
  // One record of the BPF programs, the moment it arrives.
  virtual void OnRecord(const ffdc_record_header& /*record*/) {}
  virtual void OnUevent(const Uevent& /*event*/) {}
  virtual void OnKernelMessage(const KernelMessage& /*message*/) {}
  virtual void OnPath(const PathState& /*state*/) {}
  virtual void OnLink(const LinkState& /*state*/) {}
  virtual void OnUnit(const UnitState& /*state*/) {}
  virtual void OnSpace(const PoolFill& /*pool*/) {}
  // Once a second: the kernel's exact counts of failed I/O. What storm control kept
  // back, and records that were lost, are in them.
  virtual void OnTick(const FailureTotals& /*totals*/) {}
  // Twice a second: what has no moment of its own, such as that nothing happens.
  virtual void OnPoll() {}
  // The agent ends: starts to write down what must survive. Asked again until it is true that all
  // of it is written, or for some seconds.
  virtual bool OnStop() { return true; }
  // What it knows of places that may run full, for `ffdcctl resource list`.
  virtual void AddResources(v1::ResourceList& /*list*/) const {}
  // What keeps it from doing its work, for `ffdcctl status`.
  [[nodiscard]] virtual std::vector<std::string> Problems() const { return {}; }
};

using DetectorFactory = std::unique_ptr<Detector> (*)(const DetectorWorld&, EventSink);
bool RegisterDetector(std::string name, DetectorFactory factory);
// Every registered detector, made for this world.
std::vector<std::unique_ptr<Detector>> MakeDetectors(const DetectorWorld& world, const EventSink& sink);

#define FFDC_DETECTOR_NAME_2(number) ffdc_detector_registered_##number
#define FFDC_DETECTOR_NAME(number) FFDC_DETECTOR_NAME_2(number)
#define FFDC_REGISTER_DETECTOR(name, factory) \
  [[maybe_unused]] const bool FFDC_DETECTOR_NAME(__COUNTER__) = ffdc::RegisterDetector(name, factory)

}  // namespace ffdc
