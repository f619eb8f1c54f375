// SPDX-License-Identifier: Apache-2.0
#include "probe/device_related.h"

#include <algorithm>
#include <set>

#include "base/block_dev.h"
#include "base/fs.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxRelatedDisks = 64;

// "sda" for a link to ".../block/sda/sda2" as for one to ".../block/sda".
std::string WholeDiskOfLink(const fs::path& link) {
  std::error_code failed;
  const fs::path target = fs::read_symlink(link, failed);
  if (failed || target.parent_path().filename() == "block") return link.filename().string();
  return target.parent_path().filename().string();
}

std::vector<std::string> Entries(const fs::path& folder) {
  return ListFolder(folder).value_or(std::vector<std::string>());
}

// The disk's own folder and those of its partitions.
std::vector<fs::path> Parts(const DeviceRoots& roots, const std::string& disk) {
  const fs::path dir = roots.sysfs / "block" / disk;
  std::vector<fs::path> parts{dir};
  for (const std::string& name : Entries(dir)) {
    if (name.starts_with(disk) && Exists(dir / name / "partition")) parts.push_back(dir / name);
  }
  return parts;
}

std::vector<std::string> Below(const DeviceRoots& roots, const std::string& disk) {
  std::vector<std::string> found;
  const fs::path slaves = roots.sysfs / "block" / disk / "slaves";
  for (const std::string& name : Entries(slaves)) found.push_back(WholeDiskOfLink(slaves / name));
  // The paths of an NVMe multipath head: no link leads to them.
  if (disk.starts_with("nvme")) {
    for (const std::string& name : Entries(roots.sysfs / "block")) {
      if (name != disk && NvmeHead(name) == disk) found.push_back(name);
    }
  }
  return found;
}

std::vector<std::string> Above(const DeviceRoots& roots, const std::string& disk) {
  std::vector<std::string> found;
  for (const fs::path& part : Parts(roots, disk)) {
    for (const std::string& name : Entries(part / "holders"))
      found.push_back(WholeDiskOfLink(part / "holders" / name));
  }
  if (std::string head = NvmeHead(disk); !head.empty()) found.push_back(std::move(head));
  return found;
}

using Step = std::vector<std::string> (*)(const DeviceRoots&, const std::string&);

// One way only: what lies beside it, under the same volume, is not related.
void Walk(const DeviceRoots& roots, const std::string& disk, Step step, std::vector<std::string>& found) {
  std::set<std::string> seen{disk};
  std::vector<std::string> queue{disk};
  for (size_t next = 0; next < queue.size() && queue.size() <= kMaxRelatedDisks; ++next) {
    for (std::string& name : step(roots, std::string(queue[next]))) {
      if (!seen.insert(name).second) continue;
      found.push_back(name);
      queue.push_back(std::move(name));
    }
  }
}

}  // namespace

std::vector<std::string> ReadBelow(const DeviceRoots& roots, const std::string& disk) {
  std::vector<std::string> found;
  Walk(roots, disk, Below, found);
  return found;
}

RelatedDisks ReadRelated(const DeviceRoots& roots, const std::string& disk, MountTable& mounts) {
  RelatedDisks related{ReadBelow(roots, disk), {}};
  std::vector<std::string> above;
  Walk(roots, disk, Above, above);
  std::vector<std::string> mounted{disk};
  mounted.insert(mounted.end(), above.begin(), above.end());
  for (const std::string& name : mounted) {
    for (const fs::path& part : Parts(roots, name)) {
      const auto dev = ParseDev(ReadLine(part / "dev"));
      if (!dev) continue;
      const std::vector<std::string> names{part.filename().string(), ReadLine(part / "dm/name")};
      for (std::string& point : mounts.PointsOf(*dev, names)) related.mounts.push_back(std::move(point));
    }
  }
  related.disks.insert(related.disks.end(), above.begin(), above.end());
  return related;
}

}  // namespace ffdc
