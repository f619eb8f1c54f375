// SPDX-License-Identifier: Apache-2.0
// Which filesystems are mounted, and on what block devices they lie. Reads mountinfo, kernfs links and udev's
// database alone (see devices.cc), never a filesystem itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/filesystems.h"
#include "probe/device_identity.h"

namespace ffdc {

class FilesystemTable {
 public:
  // Both must outlive it.
  FilesystemTable(const DeviceRoots& roots, DeviceInventory& devices) : roots_(roots), devices_(devices) {}

  // Every one that is mounted from a block device.
  [[nodiscard]] std::vector<Filesystem> Mounted() const;
  // Every one that has room of its own all the same: of a network, in memory, of a process. Not
  // automounts: asked again and again, they would never be unmounted. node: part of the identity of
  // those that are this node's alone.
  [[nodiscard]] std::vector<Filesystem> MountedWithoutDisk(const std::string& node) const;
  // The one on the disk or partition `dev`, or whose files have that st_dev: mounted or not.
  [[nodiscard]] Filesystem Of(uint32_t dev) const;
  // What the files below an absolute path lie on, from the names alone: the identities of the filesystem,
  // of its disk and of the disks below; of a network's, its own.
  [[nodiscard]] std::vector<std::string> Below(const std::string& path) const;
  // The number of a disk or partition by the kernel's name, "sda1"; 0: none.
  [[nodiscard]] uint32_t DevOf(const std::string& name) const;

 private:
  [[nodiscard]] Filesystem Identify(uint32_t dev) const;

  const DeviceRoots roots_;
  DeviceInventory& devices_;
};

}  // namespace ffdc
