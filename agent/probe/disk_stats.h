// SPDX-License-Identifier: Apache-2.0
// /proc/diskstats: the kernel's own counters of each disk, which wait for no disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/fd.h"

namespace ffdc {

// Since the disk is there.
struct DiskStats {
  uint64_t completed = 0;  // reads, writes, discards and flushes
  uint64_t in_flight = 0;  // now
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
};
using DiskStatsByDev = std::unordered_map<uint32_t, DiskStats>;  // major << 20 | minor; partitions too

DiskStatsByDev ParseDiskStats(std::string_view text);

class DiskStatsFile {
 public:
  explicit DiskStatsFile(const std::string& path = "/proc/diskstats");
  // As it is now; empty if it cannot be read.
  DiskStatsByDev Read();

 private:
  Fd file_;
  std::string buffer_;
};

}  // namespace ffdc
