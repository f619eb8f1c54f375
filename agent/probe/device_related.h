// SPDX-License-Identifier: Apache-2.0
// What lies below and above a disk, for grouping what fails together.
#pragma once

#include <string>
#include <vector>

#include "probe/device_users.h"

namespace ffdc {

struct RelatedDisks {
  std::vector<std::string> disks;   // names of whole disks, those below first, without its own
  std::vector<std::string> mounts;  // mount points of it and of what lies above it
};
// Reads kernfs links alone; at most 64 disks each way.
RelatedDisks ReadRelated(const DeviceRoots& roots, const std::string& disk, MountTable& mounts);

// The names of the whole disks that it stands on alone.
std::vector<std::string> ReadBelow(const DeviceRoots& roots, const std::string& disk);

}  // namespace ffdc
