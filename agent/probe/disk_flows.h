// SPDX-License-Identifier: Apache-2.0
// How much I/O of each disk ended, and how much is under way: the kernel's counters
// and, where it does not count, the block probes. Loop thread only.
#pragma once

#include <vector>

#include "base/observations.h"
#include "probe/block_probe.h"
#include "probe/devices.h"
#include "probe/disk_stats.h"

namespace ffdc {

class DiskFlows {
 public:
  explicit DiskFlows(BlockProbe& probe) : probe_(probe) {}
  // Of those of `devices` that are watched.
  std::vector<DiskFlow> Read(const std::vector<const BlockDevice*>& devices);

 private:
  BlockProbe& probe_;
  DiskStatsFile file_;
};

}  // namespace ffdc
