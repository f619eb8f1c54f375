// SPDX-License-Identifier: Apache-2.0
// What detectors ask that may hang, or that takes another program: the worker tasks
// "detect.*" (base/launcher.h). Text in, text out; the parsers are the detectors' own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/launcher.h"

namespace ffdc {

// "detect.fill_levels": mount points, each ended by a 0 byte -> a MountLevels a line, in their order.
// Its fd, where there is one, gets the same lines as they come, and before each "@INDEX": what stands
// last there is what the worker hangs in.
struct FillLevel {
  std::string resource;  // "space", "inodes"; of a thin pool "data", "metadata"
  uint64_t used = 0;     // bytes or inodes
  uint64_t total = 0;    // what can be used at all
};

// "detect.thin_pools": nothing -> a ThinPool a line.
struct ThinPool {
  uint32_t dev = 0;  // major << 20 | minor
  std::string name;  // of the device mapper
  std::string mode;  // "rw", "ro", "out_of_data_space", "fail"
  std::vector<FillLevel> levels;
};
// "detect.thin_volumes": a pool's number, "253:2" -> a ThinVolume a line, those that take most.
struct ThinVolume {
  std::string name;  // of the device mapper
  uint64_t mapped_bytes = 0;
};
std::vector<ThinVolume> ParseThinVolumes(std::string_view reply);
// Of one "thin" target: the bytes of its status line, where its table line names that pool; nothing: it
// is another's, or cannot be read.
std::optional<uint64_t> ParseThinVolume(std::string_view table, std::string_view status,
                                        std::string_view pool);
// Of one "thin-pool" target's status line; nothing: it is none that can be read.
std::optional<ThinPool> ParseThinPoolStatus(std::string_view params, uint64_t length_sectors);

// The mount's levels, by their index in the argument.
struct MountLevels {
  size_t index = 0;
  int error = 0;  // an errno: it cannot be told
  std::vector<FillLevel> levels;
};
std::vector<MountLevels> ParseMountLevels(std::string_view reply);
std::optional<size_t> LastAsked(std::string_view log);
std::vector<ThinPool> ParseThinPools(std::string_view reply);

// "detect.next_elapse": a calendar expression -> the seconds since the epoch when it next elapses;
// empty: never. Runs systemd-analyze(1).
std::optional<int64_t> ParseNextElapse(std::string_view output);

// Every one of them, for Launcher::Start.
WorkerTasks DetectTasks();

}  // namespace ffdc
