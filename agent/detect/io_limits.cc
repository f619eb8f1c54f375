// SPDX-License-Identifier: Apache-2.0
#include "detect/io_limits.h"

#include <optional>
#include <string>
#include <utility>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/text.h"

namespace ffdc {
namespace {

// A limit above these lets something through within every second, whatever the size of its
// requests (some MiB): a disk that is silent for longer does not obey it.
constexpr uint64_t kTightBytesPerSecond = 8u << 20;
constexpr uint64_t kTightIosPerSecond = 8;

bool IsTight(std::string_view value, bool bytes) {
  const auto limit = ParseNumber<uint64_t>(value);  // "max" is none
  return limit && *limit <= (bytes ? kTightBytesPerSecond : kTightIosPerSecond);
}

void Append(std::vector<uint32_t>& all, const std::vector<uint32_t>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

// 8:0 rbps=1048576 wbps=max riops=max wiops=max
std::vector<uint32_t> TightLimitsOfV2(std::string_view text) {
  std::vector<uint32_t> disks;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const auto dev = ParseDev(NextWord(line));
    bool tight = false;
    for (std::string_view word = NextWord(line); !word.empty(); word = NextWord(line)) {
      const size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = word.substr(0, equals);
      tight |= (name.ends_with("bps") || name.ends_with("iops")) &&
               IsTight(word.substr(equals + 1), name.ends_with("bps"));
    }
    if (dev && tight) disks.push_back(*dev);
  }
  return disks;
}

// 8:0 1048576
std::vector<uint32_t> TightLimitsOfV1(std::string_view text, bool bytes) {
  std::vector<uint32_t> disks;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const auto dev = ParseDev(NextWord(line));
    if (dev && IsTight(NextWord(line), bytes)) disks.push_back(*dev);
  }
  return disks;
}

std::vector<uint32_t> TightlyLimitedDisks(const std::vector<std::filesystem::path>& folders) {
  constexpr std::pair<const char*, bool> kV1Files[] = {{"blkio.throttle.read_bps_device", true},
                                                       {"blkio.throttle.write_bps_device", true},
                                                       {"blkio.throttle.read_iops_device", false},
                                                       {"blkio.throttle.write_iops_device", false}};
  std::vector<uint32_t> disks;
  for (const std::filesystem::path& folder : folders) {
    Append(disks, TightLimitsOfV2(ReadLine(folder / "io.max")));
    for (const auto& [name, bytes] : kV1Files) Append(disks, TightLimitsOfV1(ReadLine(folder / name), bytes));
  }
  return disks;
}

}  // namespace ffdc
