// SPDX-License-Identifier: Apache-2.0
// How many bytes each disk read and wrote since it is there, from /proc/diskstats:
// the kernel's own counters, which wait for no disk. Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace ffdc {

struct DiskBytes {
  uint64_t read = 0;
  uint64_t written = 0;
};
using DiskBytesByDev = std::map<uint32_t, DiskBytes>;  // major << 20 | minor; partitions too

DiskBytesByDev ParseDiskBytes(std::string_view text);

class DiskByteCounter {
 public:
  explicit DiskByteCounter(const std::string& path = "/proc/diskstats");
  // Once a second.
  void Tick();
  // Between the last two ticks; nothing of a disk that was not there before.
  [[nodiscard]] DiskBytes LastSecond(uint32_t dev) const;

 private:
  Fd file_;
  std::string buffer_;
  DiskBytesByDev now_;
  DiskBytesByDev before_;
};

}  // namespace ffdc
