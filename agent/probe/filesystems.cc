// SPDX-License-Identifier: Apache-2.0
#include "probe/filesystems.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/mountinfo.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxPoints = 16;  // of one filesystem: bind mounts may be many
constexpr std::string_view kDev = "/dev/";

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const size_t comma = std::min(options.find(','), options.size());
    if (options.substr(0, comma) == wanted) return true;
    options.remove_prefix(std::min(comma + 1, options.size()));
  }
  return false;
}

// Those of a network; what they are mounted from names them on every node.
constexpr std::array<std::string_view, 10> kNetworkTypes{"nfs",      "nfs4",   "cifs",   "smb3", "ceph",
                                                         "virtiofs", "lustre", "beegfs", "afs",  "9p"};
bool IsOfNetwork(std::string_view type) {
  return std::find(kNetworkTypes.begin(), kNetworkTypes.end(), type) != kNetworkTypes.end();
}
bool HasOwnRoom(std::string_view type) {
  return IsOfNetwork(type) || type == "tmpfs" || type == "zfs" || type == "fuse" || type.starts_with("fuse.");
}

// As the probe of paths names an NFS server.
std::string IdentityOf(const Mount& mount, const std::string& node) {
  if (mount.type.starts_with("nfs")) return "nfs:" + PrintableUtf8(mount.source);
  const std::string id = "fs:" + PrintableUtf8(mount.type) + ":";
  if (IsOfNetwork(mount.type)) return id + PrintableUtf8(mount.source);
  return id + PrintableUtf8(mount.point) + "@" + node;
}

// The numbers of what mountinfo names instead: "/dev/mapper/vg-data" (btrfs). Made at the first question.
class DevNames {
 public:
  explicit DevNames(const DeviceRoots& roots) : roots_(roots) {}

  uint32_t Find(const std::string& path) {
    if (devs_.empty()) Load();
    const auto found = devs_.find(fs::path(path).filename().string());
    return found == devs_.end() ? 0 : found->second;
  }

 private:
  void Load() {
    const fs::path all = roots_.sysfs / "class/block";
    for (const std::string& name : ListFolder(all).value_or(std::vector<std::string>())) {
      const auto dev = ParseDev(ReadLine(all / name / "dev"));
      if (!dev) continue;
      devs_[name] = *dev;
      if (const std::string dm_name = ReadLine(all / name / "dm/name"); !dm_name.empty())
        devs_[dm_name] = *dev;
    }
  }

  const DeviceRoots& roots_;
  std::map<std::string, uint32_t> devs_;
};

}  // namespace

uint32_t FilesystemTable::DevOf(const std::string& name) const {
  if (name.empty() || name.starts_with('.') || name.find('/') != std::string::npos) return 0;
  return ParseDev(ReadLine(roots_.sysfs / "class/block" / name / "dev")).value_or(0);
}

Filesystem FilesystemTable::Identify(uint32_t dev) const {
  Filesystem found;
  found.dev = found.stat_dev = dev;
  const fs::path link = roots_.sysfs / "dev/block" / FormatDev(dev);
  found.device = LinkName(link);
  found.disk = devices_.WholeDisk(dev);
  const BlockDevice* disk = devices_.Find(found.disk);
  std::string identity = disk == nullptr ? "dev:" + FormatDev(dev) : disk->subject.id();
  if (const std::string part = ReadLine(link / "partition"); !part.empty()) identity += "-part" + part;
  const std::string uuid = PrintableUtf8(UdevProperty(roots_, dev, "ID_FS_UUID"));
  found.id = "fs:" + (uuid.empty() ? identity : uuid);
  found.device = found.device.empty() ? FormatDev(dev) : PrintableUtf8(found.device);
  return found;
}

std::vector<Filesystem> FilesystemTable::Mounted() const {
  std::map<uint32_t, Filesystem> by_dev;  // stat_dev
  DevNames names(roots_);
  const auto table = ReadMounts(roots_.procfs);
  for (const Mount& mount : table ? table->mounts : std::vector<Mount>()) {
    const auto stat_dev = ParseDev(mount.dev);
    if (!stat_dev) continue;
    auto known = by_dev.find(*stat_dev);
    if (known == by_dev.end()) {
      uint32_t dev = *stat_dev;
      if (FFDC_DEV_MAJOR(dev) == 0) dev = mount.source.starts_with(kDev) ? names.Find(mount.source) : 0;
      if (dev == 0) continue;
      known = by_dev.emplace(*stat_dev, Identify(dev)).first;
      known->second.stat_dev = *stat_dev;
      known->second.type = PrintableUtf8(mount.type);
    }
    Filesystem& found = known->second;
    found.read_only = HasOption(mount.super_options, "ro") || HasOption(mount.super_options, "emergency_ro");
    if (found.points.size() < kMaxPoints) found.points.push_back(PrintableUtf8(mount.point));
  }
  std::vector<Filesystem> all;
  all.reserve(by_dev.size());
  for (auto& [dev, found] : by_dev) all.push_back(std::move(found));
  return all;
}

std::vector<std::string> FilesystemTable::Below(const std::string& path) const {
  const auto table = ReadMounts(roots_.procfs);
  const Mount* mount = table ? MountOfPath(*table, path) : nullptr;
  if (mount == nullptr) return {};
  if (IsOfNetwork(mount->type)) return {IdentityOf(*mount, {})};
  const Filesystem filesystem = Of(ParseDev(mount->dev).value_or(0));
  const BlockDevice* disk = devices_.Find(filesystem.disk);
  if (disk == nullptr) return {};
  std::vector<std::string> ids = devices_.BelowOf(filesystem.disk);
  ids.push_back(disk->subject.id());
  ids.push_back(filesystem.id);
  return ids;
}

std::vector<Filesystem> FilesystemTable::MountedWithoutDisk(const std::string& node) const {
  const auto table = ReadMounts(roots_.procfs);
  if (!table) return {};
  std::map<uint32_t, std::string_view> types;      // by the mount's id
  std::map<std::string_view, uint32_t> uppermost;  // the id of what is seen at a mount point
  for (const Mount& mount : table->mounts) {
    types[mount.id] = mount.type;
    uppermost[mount.point] = mount.id;
  }
  std::map<uint32_t, Filesystem> by_dev;
  for (const Mount& mount : table->mounts) {
    const auto stat_dev = ParseDev(mount.dev);
    if (!stat_dev || FFDC_DEV_MAJOR(*stat_dev) != 0 || !HasOwnRoom(mount.type)) continue;
    if (uppermost[mount.point] != mount.id || types[mount.parent_id] == "autofs") continue;
    Filesystem& found = by_dev[*stat_dev];
    if (found.points.empty()) {
      found.stat_dev = *stat_dev;
      found.id = IdentityOf(mount, node);
      found.device = PrintableUtf8(mount.source);
      found.type = PrintableUtf8(mount.type);
    }
    found.read_only = HasOption(mount.super_options, "ro");
    if (found.points.size() < kMaxPoints) found.points.push_back(PrintableUtf8(mount.point));
  }
  std::vector<Filesystem> all;
  all.reserve(by_dev.size());
  for (auto& [dev, found] : by_dev) all.push_back(std::move(found));
  return all;
}

Filesystem FilesystemTable::Of(uint32_t dev) const {
  for (Filesystem& mounted : Mounted()) {
    if (mounted.dev == dev || mounted.stat_dev == dev) return std::move(mounted);
  }
  return Identify(dev);
}

}  // namespace ffdc
