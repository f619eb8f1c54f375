// SPDX-License-Identifier: Apache-2.0
// Disks that a control group may use so little that its I/O waits for seconds by
// order: io.max, and blkio.throttle.* of cgroup v1. Nothing but these files tells:
// a task whose bio is throttled sleeps as one whose bio is lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace ffdc {

// text: of io.max, or of a file of blkio.throttle. Numbers of the disks with a tight limit.
std::vector<uint32_t> TightLimitsOfV2(std::string_view text);
std::vector<uint32_t> TightLimitsOfV1(std::string_view text, bool bytes);
// folders: a cgroup's and those of the cgroups above it. Asks cgroupfs alone, which does not block.
std::vector<uint32_t> TightlyLimitedDisks(const std::vector<std::filesystem::path>& folders);

}  // namespace ffdc
