// SPDX-License-Identifier: Apache-2.0
// The frozen per-I/O flight recorder, as the collector io_history reads and
// writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "capture/collect_util.h"
#include "ffdc/abi/block.h"

namespace ffdc {

// The newest I/Os of all segments, oldest first, and what is not among them.
struct IoHistory {
  std::vector<ffdc_io_record> records;
  uint64_t older = 0;                   // left out to stay within max_records
  uint64_t broken_bytes = 0;            // ends of segments that are no whole record
  std::vector<std::string> unreadable;  // one message a segment
};
IoHistory ReadIoHistory(std::span<const int> segments, size_t max_records);

// Kernel names of devices, asked of sysfs once each.
class DeviceNames {
 public:
  explicit DeviceNames(std::filesystem::path sys) : sys_(std::move(sys)) {}
  // "sda"; "8:0" where there is no such device any more.
  const std::string& Name(uint32_t dev);
  void Set(uint32_t dev, std::string name) { names_[dev] = std::move(name); }

 private:
  std::filesystem::path sys_;
  std::unordered_map<uint32_t, std::string> names_;
};

Result<> CollectIoHistory(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
