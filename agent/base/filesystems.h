// SPDX-License-Identifier: Apache-2.0
// A filesystem on a local block device, as far as its names and its mounts tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ffdc {

struct Filesystem {
  uint32_t dev = 0;                 // the disk or partition it lies on, major << 20 | minor; 0: none is known
  uint32_t stat_dev = 0;            // what its files say (st_dev): another than `dev` for btrfs
  uint32_t disk = 0;                // the whole disk
  std::string id;                   // "fs:<uuid>", else "fs:<identity of its disk>"; the same on every node
  std::string device;               // the kernel's name: "dm-0", "sda1"
  std::string type;                 // "ext4"; empty: not mounted
  bool read_only = false;           // the filesystem itself, not just a mount of it
  std::vector<std::string> points;  // where it is mounted, in the kernel's order
};

}  // namespace ffdc
