// SPDX-License-Identifier: Apache-2.0
// What lies above a disk: partitions, holders, mounts.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/mountinfo.h"
#include "probe/device_identity.h"

namespace ffdc {

// <proc>/self/mountinfo, read again only when the kernel says that it changed.
class MountTable {
 public:
  explicit MountTable(const DeviceRoots& roots);

  // "/srv (ext4)" for each mount of the device. names: what its filesystem may
  // call it (kernel name, dm name), for those that hide its number (btrfs).
  std::vector<std::string> MountsOf(uint32_t dev, const std::vector<std::string>& names);
  // The mount points alone.
  std::vector<std::string> PointsOf(uint32_t dev, const std::vector<std::string>& names);

 private:
  struct Place {
    std::string point;
    std::string type;
  };
  std::vector<Place> Find(uint32_t dev, const std::vector<std::string>& names);
  void Update();
  void Add(const Mount& mount);

  Fd fd_;
  bool loaded_ = false;
  std::unordered_multimap<uint32_t, Place> by_dev_;
  std::unordered_multimap<std::string, Place> by_source_;
};

// Nearest first, at most kMaxUsers and a last line that counts the rest's existence.
inline constexpr size_t kMaxUsers = 64;
std::vector<std::string> ReadUsers(const DeviceRoots& roots, const std::string& disk, MountTable& mounts);

}  // namespace ffdc
