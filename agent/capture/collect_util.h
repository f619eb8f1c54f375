// SPDX-License-Identifier: Apache-2.0
// What several collectors need. Everything blocks; collectors run in workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "capture/collector.h"

namespace ffdc {

// Where the kernel shows itself; other folders in tests.
struct KernelRoots {
  std::filesystem::path proc = "/proc";
  std::filesystem::path sys = "/sys";
  std::filesystem::path kmsg = "/dev/kmsg";
};

// Something this kernel does not offer: named in the manifest with count 0,
// since nothing that was there got lost.
void AddNote(CollectContext& context, std::string what, std::string detail);

// The wall clock of a monotonic time, by the pair of readings made at the freeze:
// a clock that was set since does not change what the files of a capture say.
class JobClock {
 public:
  explicit JobClock(const v1::CaptureJob& job);
  [[nodiscard]] int64_t WallNs(uint64_t monotonic_ns) const {
    return static_cast<int64_t>(static_cast<uint64_t>(realtime_ns_) + (monotonic_ns - monotonic_ns_));
  }

 private:
  int64_t realtime_ns_;
  uint64_t monotonic_ns_;
};

// Names in a folder, sorted; empty where it cannot be read.
std::vector<std::string> FolderEntries(const std::filesystem::path& path);

}  // namespace ffdc
