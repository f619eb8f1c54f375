// SPDX-License-Identifier: Apache-2.0
// /proc/self/mountinfo (proc(5)): what is mounted where, without touching any of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ffdc {

struct Mount {
  uint32_t id = 0;
  uint32_t parent_id = 0;
  std::string dev;  // "8:1"; "0:N" where the filesystem has no device of its own
  std::string root;
  std::string point;
  std::string options;
  std::string propagation;  // "shared:1 master:2"
  std::string type;
  std::string source;
  std::string super_options;
};

// Octal escapes (\040) are undone: strings hold the mount's own bytes.
std::optional<Mount> ParseMount(std::string_view line);

struct MountList {
  std::vector<Mount> mounts;  // in the kernel's order: a later one hides an earlier one at the same point
  uint64_t malformed = 0;
};
Result<MountList> ReadMounts(const std::filesystem::path& proc);

// The mount that the absolute path lies on, judged by the names alone; nullptr: none.
const Mount* MountOfPath(const MountList& table, std::string_view path);

}  // namespace ffdc
