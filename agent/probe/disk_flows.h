// SPDX-License-Identifier: Apache-2.0
// How much I/O of each disk ended, and how much is under way, from /proc/diskstats
// and, where the kernel does not count there, from the block probes. Loop thread
// only: the file is the kernel's own counters, and waits for no disk.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/observations.h"
#include "probe/block_probe.h"
#include "probe/devices.h"

namespace ffdc {

// Fills in the flows of the disks that the text of /proc/diskstats names.
void ParseDiskStats(std::string_view text, std::map<uint32_t, DiskFlow>& flows);

class DiskFlows {
 public:
  explicit DiskFlows(BlockProbe& probe, const std::string& path = "/proc/diskstats");
  // Of those of `devices` that are watched.
  std::vector<DiskFlow> Read(const std::vector<const BlockDevice*>& devices);

 private:
  BlockProbe& probe_;
  Fd file_;
  std::string buffer_;
};

}  // namespace ffdc
