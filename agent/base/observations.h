// SPDX-License-Identifier: Apache-2.0
// What the agent hears besides the records of its BPF programs: uevents, kernel
// messages, the state of paths, links and units, tasks that wait. The probes
// make these, the detectors turn them into events.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/endpoint.h"

namespace ffdc {

// One message of the kernel's kobject_uevent socket.
struct Uevent {
  std::string action;     // "add", "remove", "change", ...
  std::string subsystem;  // "block", "nvme", "scsi", "module", ...
  std::string devtype;    // "disk", "scsi_device"; empty where the kernel names none
  std::string devpath;    // below sysfs, as "/devices/virtual/block/dm-0"
  std::map<std::string, std::string, std::less<>> properties;

  // Empty where there is no such property.
  [[nodiscard]] std::string_view Get(std::string_view name) const {
    const auto found = properties.find(name);
    return found == properties.end() ? std::string_view() : std::string_view(found->second);
  }
};

// One record of the kernel's log.
struct KernelMessage {
  uint32_t level = 6;      // 0 emergency ... 7 debug
  uint32_t facility = 0;   // 0: the kernel itself; else a process wrote it to /dev/kmsg, and may say anything
  uint64_t time_ns = 0;    // CLOCK_MONOTONIC, within some milliseconds
  std::string text;        // valid UTF-8
  std::string properties;  // "SUBSYSTEM=block DEVICE=b8:0"; empty: none
};

// A path to storage, or all there is of it where it has only one.
struct PathState {
  enum class State { kLive, kTroubled, kLost };
  std::string subject_type;  // "block_device", "nfs_server", "ceph", "nbd"
  std::string subject_id;    // what the path leads to; the same on every node
  std::string subject_name;  // "dm-0 (mpatha)", "10.0.0.1:/export"
  std::string path;          // "sdb [1:0:0:0]", "nvme1 tcp 10.0.0.1:4420"
  std::string transport;     // "dm-multipath", "nvme-tcp", "iscsi", "scsi", "nbd", "nfs", "ceph"
  std::string detail;        // the kernel's word for its state: "connecting", "transport-offline"
  State state = State::kLive;
  uint32_t paths_left = 0;  // of the subject, this one included while it is live
  uint32_t paths_total = 0;
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC: when the kernel, or else the agent, knew
  std::vector<std::string> related_ids;
  // Of a network filesystem: the device numbers of its mounts, which tasks that wait for it name.
  std::vector<uint32_t> mount_devs;
};

// An interface, neighbour or route towards a watched endpoint.
struct LinkState {
  std::string interface;  // "eth0"
  std::string what;       // "carrier", "admin", "removed", "slave", "neighbour", "route"
  bool up = true;
  std::string detail;                  // "NO-CARRIER", "neighbour 10.0.0.1 FAILED"
  std::vector<std::string> endpoints;  // "10.0.0.1:4420": the watched ones behind it
  std::set<EndpointRole> roles;        // of these
  uint32_t slaves_left = 0;            // of a bond or team: those that still carry
  uint32_t slaves_total = 0;
  uint64_t time_ns = 0;
  std::vector<std::string> related_ids;
};

// How full the Ceph pool is that the store uses. 0: no such limit, or not known.
struct PoolFill {
  std::string id;    // "ceph:<fsid>/<pool>"
  std::string name;  // "<pool>"
  uint64_t used_bytes = 0;
  uint64_t total_bytes = 0;
  uint64_t quota_bytes = 0;
  uint64_t objects = 0;
  uint64_t quota_objects = 0;
  std::vector<std::pair<std::string, uint64_t>> largest_pools{};  // who fills the cluster, bytes
};

// A watched systemd unit.
struct UnitState {
  std::string unit;          // "ceph-osd@3.service"
  std::string active_state;  // "active", "failed", "inactive", ...
  std::string sub_state;     // "running", "stop-watchdog", ...
  std::string result;        // "success", "watchdog", "signal", ...
  uint64_t time_ns = 0;
};

// How much I/O of one whole disk ended so far, and how much is under way.
struct DiskFlow {
  uint32_t dev = 0;        // major << 20 | minor
  uint64_t completed = 0;  // since boot
  uint64_t in_flight = 0;  // at least: where not all can be counted, 1 stands for them
  bool stacked = false;    // in flight may mean: held back by a device below, or on the way to it
  // Who waits, where the kernel tells that without a task that does (device mapper).
  uint64_t cgroup_id = 0;
  uint32_t cgroup_hierarchy = 0;
};

// How fast one whole disk answered in the last second.
struct DiskLatency {
  struct Answers {
    uint32_t count = 0;  // of those that were timed
    uint64_t p50_ns = 0;
    uint64_t p99_ns = 0;
    uint64_t bytes = 0;  // of all that ended; 0 where the kernel does not count
  };
  uint32_t dev = 0;  // major << 20 | minor
  Answers read;
  Answers write;
};

}  // namespace ffdc
