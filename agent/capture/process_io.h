// SPDX-License-Identifier: Apache-2.0
// Who does I/O: processes and control groups, for the collector io_processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json_line.h"
#include "base/mountinfo.h"
#include "capture/collect_util.h"
#include "capture/io_history.h"

namespace ffdc {

// /proc/PID/io: bytes that reached the block layer (or the network, for NFS).
struct ProcessIo {
  uint64_t read_bytes = 0;
  uint64_t write_bytes = 0;
  uint64_t cancelled_write_bytes = 0;
};
std::optional<ProcessIo> ParseProcessIo(std::string_view text);

// The cgroup of /proc/PID/cgroup that says most: of cgroup v2 unless that is its root, else of v1's blkio.
std::string ParseCgroup(std::string_view text);

using IoSnapshot = std::unordered_map<uint32_t, ProcessIo>;  // by pid
Result<IoSnapshot> ReadProcessIos(const std::filesystem::path& proc);

struct IoProcess {
  uint32_t pid = 0;
  ProcessIo total;
  uint64_t recent_read_bytes = 0;
  uint64_t recent_write_bytes = 0;
};
struct IoRanking {
  std::vector<IoProcess> processes;  // by recent bytes, then by all bytes; none without I/O
  uint64_t active_left_out = 0;      // of those left out, the ones that did I/O between the readings
};
IoRanking RankProcesses(const IoSnapshot& before, const IoSnapshot& after, size_t max_processes);

// One line's fields from io.stat (cgroup v2): "8:0 rbytes=1 wios=2" a device. False: nothing in it.
bool AddIoStat(std::string_view text, DeviceNames& names, JsonLine& line);
// From blkio.throttle.io_serviced and the like (cgroup v1): "8:0 Read 12". Zeros are left out.
bool AddBlkioStat(std::string_view field, std::string_view text, DeviceNames& names, JsonLine& line);

// io-cgroups.jsonl
Result<> CollectIoCgroups(CollectContext& context, const KernelRoots& roots);
Result<> CollectIoProcesses(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
