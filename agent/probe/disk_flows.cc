// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_flows.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

constexpr size_t kFirstBufferBytes = 16u << 10;
constexpr size_t kMaxFileBytes = 4u << 20;

// The file from its start; what fits of it.
std::string_view ReadAgain(int fd, std::string& buffer) {
  size_t size = 0;
  if (buffer.empty()) buffer.resize(kFirstBufferBytes);
  while (size < kMaxFileBytes) {
    if (size == buffer.size()) buffer.resize(size * 2);
    const ssize_t got = pread(fd, buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  return std::string_view(buffer).substr(0, size);
}

}  // namespace

//    8       0 sda 33172 9316 3327706 ...: Documentation/admin-guide/iostats.rst. Discards since
// 4.18, flushes since 5.5.
void ParseDiskStats(std::string_view text, std::map<uint32_t, DiskFlow>& flows) {
  constexpr size_t kReads = 0;
  constexpr size_t kWrites = 4;
  constexpr size_t kInFlight = 8;
  constexpr size_t kDiscards = 11;
  constexpr size_t kFlushes = 15;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const auto major = ParseNumber<uint32_t>(NextWord(line));
    const auto minor = ParseNumber<uint32_t>(NextWord(line));
    if (!major || !minor) continue;
    const auto flow = flows.find(*major << FFDC_DEV_MINOR_BITS | *minor);
    if (flow == flows.end()) continue;
    NextWord(line);
    std::array<uint64_t, kFlushes + 1> columns{};
    for (uint64_t& column : columns) column = ParseNumber<uint64_t>(NextWord(line)).value_or(0);
    flow->second.completed = columns[kReads] + columns[kWrites] + columns[kDiscards] + columns[kFlushes];
    flow->second.in_flight = columns[kInFlight];
  }
}

DiskFlows::DiskFlows(BlockProbe& probe, const std::string& path)
    : probe_(probe), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

std::vector<DiskFlow> DiskFlows::Read(const std::vector<const BlockDevice*>& devices) {
  std::map<uint32_t, DiskFlow> by_dev;
  for (const BlockDevice* device : devices) {
    if (device->watched) by_dev[device->dev].dev = device->dev;
  }
  if (file_.valid()) ParseDiskStats(ReadAgain(file_.get(), buffer_), by_dev);
  std::vector<DiskFlow> flows;
  for (const BlockDevice* device : devices) {
    if (!device->watched) continue;
    DiskFlow flow = by_dev[device->dev];
    flow.stacked = device->bio_based;
    if (device->bio_based) {
      const BioFlow bios = probe_.BiosOf(device->dev);
      flow.completed += bios.completed;
      if (bios.waiting) {
        flow.in_flight = std::max<uint64_t>(flow.in_flight, 1);
        flow.cgroup_id = bios.cgroup_id;
        flow.cgroup_hierarchy = bios.cgroup_hierarchy;
      }
    } else if (!device->iostats) {
      flow.completed += probe_.Latencies(device->dev).completions;
    }
    flows.push_back(flow);
  }
  return flows;
}

}  // namespace ffdc
