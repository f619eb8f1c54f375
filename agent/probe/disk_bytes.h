// SPDX-License-Identifier: Apache-2.0
// How many bytes each disk read and wrote in the last second. Loop thread only.
#pragma once

#include <cstdint>
#include <string>

#include "probe/disk_stats.h"

namespace ffdc {

struct DiskBytes {
  uint64_t read = 0;
  uint64_t written = 0;
};

class DiskByteCounter {
 public:
  explicit DiskByteCounter(const std::string& path = "/proc/diskstats") : file_(path) {}
  // Once a second.
  void Tick();
  // Between the last two ticks; nothing of a disk that was not there before.
  [[nodiscard]] DiskBytes LastSecond(uint32_t dev) const;

 private:
  DiskStatsFile file_;
  DiskStatsByDev now_;
  DiskStatsByDev before_;
};

}  // namespace ffdc
