// SPDX-License-Identifier: Apache-2.0
// The frozen per-I/O flight recorder, as the collector io_history reads and
// writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "capture/collect_util.h"
#include "capture/json_line.h"
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

class IoLines {
 public:
  IoLines(const ClockMoment& clock, DeviceNames& names) : clock_(clock), names_(names) {}
  // One line of io-history.jsonl; valid until the next call.
  std::string_view Format(const ffdc_io_record& record);

 private:
  std::string_view Wall(int64_t wall_ns);

  const ClockMoment& clock_;
  DeviceNames& names_;
  JsonLine line_;
  int64_t wall_second_ = INT64_MIN;
  std::string wall_text_;
};

// Index of the first record such that it and all after it take at most max_bytes.
size_t FirstThatFits(std::span<const ffdc_io_record> records, IoLines& lines, uint64_t max_bytes);

// The last `count` I/Os of `dev` up to failure_ns (0: to the end).
std::vector<ffdc_io_record> LastIos(std::span<const ffdc_io_record> records, uint32_t dev,
                                    uint64_t failure_ns, size_t count);

Result<> CollectIoHistory(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
