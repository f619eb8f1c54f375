// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_flows.h"

#include <algorithm>

namespace ffdc {

std::vector<DiskFlow> DiskFlows::Read(const std::vector<const BlockDevice*>& devices) {
  const DiskStatsByDev disks = file_.Read();
  std::vector<DiskFlow> flows;
  for (const BlockDevice* device : devices) {
    if (!device->watched) continue;
    DiskFlow flow;
    flow.dev = device->dev;
    if (const auto disk = disks.find(device->dev); disk != disks.end()) {
      flow.completed = disk->second.completed;
      flow.in_flight = disk->second.in_flight;
    }
    flow.stacked = device->bio_based;
    if (device->bio_based) {
      const BioFlow bios = probe_.BiosOf(device->dev);
      flow.completed += bios.completed;
      if (bios.waiting) {
        flow.in_flight = std::max<uint64_t>(flow.in_flight, 1);
        flow.cgroup_id = bios.cgroup_id;
        flow.cgroup_hierarchy = bios.cgroup_hierarchy;
      }
    } else if (!device->iostats) {
      flow.completed += probe_.Latencies(device->dev).completions;
    }
    flows.push_back(flow);
  }
  return flows;
}

}  // namespace ffdc
