// SPDX-License-Identifier: Apache-2.0
// Latency histograms: their buckets, and the BPF map that holds one a device and
// CPU (bpf/block_io.bpf.c).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "probe/block_probe.h"

namespace ffdc {

// Of ffdc_latency_bucket().
uint64_t BucketMiddleNs(uint32_t bucket);

// How many devices' histograms fit.
uint32_t HistogramSlots(uint64_t budget_bytes, uint32_t cpus);

class LatencyTable {
 public:
  // Borrows the map.
  LatencyTable(int map_fd, uint32_t slots, uint32_t cpus);
  // The device's slot, emptied if it is new; FFDC_NO_SLOT when none is left.
  uint32_t Assign(uint32_t dev);
  void Release(uint32_t dev);
  [[nodiscard]] LatencyCounts Read(uint32_t dev) const;

 private:
  bool Clear(uint32_t slot) const;

  int map_fd_;
  uint32_t cpus_;
  std::map<uint32_t, uint32_t> slots_;  // by dev
  std::vector<uint32_t> free_;
};

}  // namespace ffdc
