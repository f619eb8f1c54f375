// SPDX-License-Identifier: Apache-2.0
// What one disk is, read from sysfs; see devices.cc for why these reads are safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "probe/devices.h"

namespace ffdc {

struct DeviceRoots {
  explicit DeviceRoots(const std::filesystem::path& sysfs_root);

  std::filesystem::path sysfs;
  std::filesystem::path procfs;     // "proc" beside sysfs
  std::filesystem::path udev_data;  // "run/udev/data" beside sysfs
};

// The numbers of disks that have no `dev` attribute: the hidden path devices of
// NVMe multipath, named by /proc/diskstats alone. Reads it at the first question.
class HiddenDisks {
 public:
  explicit HiddenDisks(const DeviceRoots& roots) : roots_(roots) {}
  std::optional<uint32_t> DevOf(const std::string& name);
  // Empty: none of that number.
  std::string NameOf(uint32_t dev);

 private:
  void Load();

  const DeviceRoots& roots_;
  bool loaded_ = false;
  std::unordered_map<std::string, uint32_t> devs_;
};

// Bytes that are not UTF-8, and control characters, become \xNN: protobuf
// strings and terminals take nothing else.
std::string PrintableUtf8(std::string_view bytes);

// Of the device in udev's database: a file on a tmpfs. Empty: none.
std::string UdevProperty(const DeviceRoots& roots, uint32_t dev, std::string_view key);

// All but watched, reason, iostats and used_by. nullopt: no such disk.
std::optional<BlockDevice> ReadDevice(const DeviceRoots& roots, const std::string& name, HiddenDisks& hidden);
// "loop:/srv/disk.img"; empty: not a loop device, or nothing attached.
inline constexpr std::string_view kLoopIdPrefix = "loop:";
std::string LoopId(const DeviceRoots& roots, const std::string& name);

}  // namespace ffdc
