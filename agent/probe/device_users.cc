// SPDX-License-Identifier: Apache-2.0
#include "probe/device_users.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "base/block_dev.h"
#include "base/fs.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

std::vector<std::string> ListDir(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(dir, failed), end; !failed && it != end; it.increment(failed))
    names.push_back(it->path().filename().string());
  // "sda2" before "sda10".
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

// Walks the stack upwards, breadth first: what is nearest comes first.
class UserWalk {
 public:
  UserWalk(const DeviceRoots& roots, MountTable& mounts) : roots_(roots), mounts_(mounts) {}

  std::vector<std::string> Walk(const std::string& disk) {
    Push(roots_.sysfs / "block" / disk, disk);
    while (!queue_.empty() && users_.size() <= kMaxUsers) {
      const Node node = queue_.front();
      queue_.pop_front();
      Visit(node);
    }
    if (users_.size() > kMaxUsers) {
      users_.resize(kMaxUsers);
      users_.emplace_back("... and more");
    }
    return std::move(users_);
  }

 private:
  struct Node {
    fs::path dir;
    std::string name;
    std::string dm_name;
  };

  bool Push(const fs::path& dir, const std::string& name) {
    if (!seen_.insert(name).second) return false;  // two ways up, or a broken tree's cycle
    queue_.push_back({dir, name, ReadLine(dir / "dm/name")});
    return true;
  }

  void AddHolder(const std::string& name) {
    if (!Push(roots_.sysfs / "block" / name, name)) return;
    const std::string& dm_name = queue_.back().dm_name;
    users_.push_back(PrintableUtf8(dm_name.empty() ? name : name + " (" + dm_name + ")"));
  }

  void Visit(const Node& node) {
    if (const auto dev = ParseDev(ReadLine(node.dir / "dev"))) {
      for (auto& mount : mounts_.MountsOf(*dev, {node.name, node.dm_name}))
        users_.push_back(std::move(mount));
    }
    for (const std::string& child : ListDir(node.dir)) {
      const fs::path dir = node.dir / child;
      if (!child.starts_with(node.name) || !Exists(dir / "partition")) continue;
      if (Push(dir, child)) users_.push_back(PrintableUtf8(child));
    }
    for (const std::string& holder : ListDir(node.dir / "holders")) AddHolder(holder);
    if (const std::string head = NvmeHead(node.name); !head.empty()) AddHolder(head);
  }

  const DeviceRoots& roots_;
  MountTable& mounts_;
  std::deque<Node> queue_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> users_;
};

}  // namespace

MountTable::MountTable(const DeviceRoots& roots)
    : fd_(open((roots.procfs / "self/mountinfo").c_str(), O_RDONLY | O_CLOEXEC)) {}

void MountTable::Update() {
  if (!fd_.valid()) return;
  pollfd change{fd_.get(), POLLPRI, 0};
  const bool changed = poll(&change, 1, 0) > 0;
  if (loaded_ && !changed) return;
  loaded_ = true;
  by_dev_.clear();
  by_source_.clear();

  lseek(fd_.get(), 0, SEEK_SET);
  (void)ForEachLine(fd_.get(), "mountinfo", [this](std::string_view line) {
    if (const auto mount = ParseMount(line)) Add(*mount);
    return true;
  });
}

void MountTable::Add(const Mount& mount) {
  const auto dev = ParseDev(mount.dev);
  if (!dev) return;
  Place place{PrintableUtf8(mount.point), PrintableUtf8(mount.type)};
  if (FFDC_DEV_MAJOR(*dev) != 0) {
    by_dev_.emplace(*dev, std::move(place));
  } else if (mount.source.starts_with("/dev/")) {
    by_source_.emplace(fs::path(mount.source).filename().string(), std::move(place));
  }
}

std::vector<MountTable::Place> MountTable::Find(uint32_t dev, const std::vector<std::string>& names) {
  Update();
  std::vector<Place> found;
  const auto [first, last] = by_dev_.equal_range(dev);
  for (auto it = first; it != last; ++it) found.push_back(it->second);
  for (const std::string& name : names) {
    const auto [from, to] = by_source_.equal_range(name);
    for (auto it = from; it != to; ++it) found.push_back(it->second);
  }
  return found;
}

namespace {

std::vector<std::string> SortedOnce(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

}  // namespace

std::vector<std::string> MountTable::MountsOf(uint32_t dev, const std::vector<std::string>& names) {
  std::vector<std::string> labels;
  for (const Place& place : Find(dev, names)) labels.push_back(place.point + " (" + place.type + ")");
  return SortedOnce(std::move(labels));
}

std::vector<std::string> MountTable::PointsOf(uint32_t dev, const std::vector<std::string>& names) {
  std::vector<std::string> points;
  for (Place& place : Find(dev, names)) points.push_back(std::move(place.point));
  return SortedOnce(std::move(points));
}

std::vector<std::string> ReadUsers(const DeviceRoots& roots, const std::string& disk, MountTable& mounts) {
  return UserWalk(roots, mounts).Walk(disk);
}

}  // namespace ffdc
