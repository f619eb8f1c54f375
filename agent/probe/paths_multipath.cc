// SPDX-License-Identifier: Apache-2.0
// dm-multipath tells of its paths in uevents (drivers/md/dm-uevent.c): DM_ACTION,
// DM_PATH, DM_NR_VALID_PATHS. What failed before the agent started is not known: to
// ask device mapper is an ioctl that can wait for a table that is being exchanged.
// Reads the folder `slaves` and a link: kernfs, no driver behind them.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/text.h"
#include "probe/path_transport.h"

namespace ffdc {
namespace {

constexpr size_t kMaxMaps = 4096;  // with a failed path
constexpr size_t kMaxFailedPaths = 256;

class MultipathPaths final : public PathTransport {
 public:
  using PathTransport::PathTransport;

  void OnUevent(const Uevent& event) override {
    if (event.subsystem != "block" || event.devtype != "disk") return;
    const std::string name = std::filesystem::path(event.devpath).filename().string();
    if (event.action == "remove") {
      Removed(name);
    } else if (event.Get("DM_TARGET") == "multipath") {
      PathEvent(name, event);
    } else if (maps_.contains(name)) {
      TableChanged(name);
    }
  }

 private:
  struct Map {
    std::string shown;  // "dm-0 (mpatha)"
    std::string id;
    std::map<std::string, PathView> failed;  // by device number, "8:16"
    size_t expected = 0;                     // paths of the largest table so far
  };

  void PathEvent(const std::string& name, const Uevent& event) {
    const std::string path(event.Get("DM_PATH"));
    const std::string_view action = event.Get("DM_ACTION");
    const bool failed = action == "PATH_FAILED";
    if (path.empty() || (!failed && action != "PATH_REINSTATED")) return;
    if (!maps_.contains(name) && (!failed || maps_.size() >= kMaxMaps)) return;
    const BlockDevice* disk = devices().FindByName(name);
    if (disk == nullptr || !disk->watched) return;
    Map& map = maps_[name];
    map.id = disk->subject.id();
    map.shown = name;
    if (!event.Get("DM_NAME").empty()) map.shown.append(" (").append(event.Get("DM_NAME")).append(")");
    if (failed && map.failed.size() < kMaxFailedPaths) {
      PathView& view = map.failed[path];
      if (view.path.empty()) view = {PathName(path), PathState::State::kLost, "failed", 0};
    } else if (!failed) {
      map.failed.erase(path);
    }
    Tell(name, map, ParseNumber<uint32_t>(event.Get("DM_NR_VALID_PATHS")));
  }

  // A new table: a failed path that is no longer in it was taken out by the daemon, and is
  // missed until there are as many paths as before.
  void TableChanged(const std::string& name) {
    Map& map = maps_.at(name);
    const std::set<std::string> slaves = Slaves(name);
    if (slaves.size() >= map.expected)
      std::erase_if(map.failed, [&](const auto& path) { return !slaves.contains(path.first); });
    Tell(name, map, std::nullopt);
  }

  void Removed(const std::string& name) {
    const auto found = maps_.find(name);
    if (found == maps_.end()) return;
    Report(found->second, {});
    maps_.erase(found);
  }

  void Tell(const std::string& name, Map& map, std::optional<uint32_t> valid) {
    std::vector<PathView> views;
    const std::set<std::string> slaves = Slaves(name);
    map.expected = std::max(map.expected, slaves.size());
    for (const auto& [number, view] : map.failed) views.push_back(view);
    for (const std::string& number : slaves) {
      if (!map.failed.contains(number))
        views.push_back({PathName(number), PathState::State::kLive, "active"});
    }
    // The kernel's own count is the better one: paths may have failed before the agent started.
    size_t live = views.size() - map.failed.size();
    for (; valid && live > *valid; --live) {
      views.pop_back();  // which of them it is, is not known
      const PathView unknown{"(not known)", PathState::State::kLost, "failed before the agent started", 0};
      views.insert(views.begin() + static_cast<std::ptrdiff_t>(map.failed.size()), unknown);
    }
    const bool whole = live == views.size();
    Report(map, std::move(views));
    if (whole) maps_.erase(name);
  }

  void Report(const Map& map, std::vector<PathView> views) {
    const std::string disk = map.shown.substr(0, map.shown.find(' '));
    reports_.Report({"block_device", map.id, map.shown, "dm-multipath", std::move(views), {}, [this, disk] {
                       const BlockDevice* device = devices().FindByName(disk);
                       return device == nullptr ? std::vector<std::string>()
                                                : devices().RelatedTo(device->dev);
                     }});
  }

  // Device numbers of the paths in its table.
  [[nodiscard]] std::set<std::string> Slaves(const std::string& name) const {
    std::set<std::string> numbers;
    const std::filesystem::path folder = world_.roots.sysfs / "block" / name / "slaves";
    const auto names = ListFolder(folder);
    if (!names) return numbers;
    for (const std::string& slave : *names) {
      const std::string number = ReadLine(folder / slave / "dev");
      if (!number.empty()) numbers.insert(number);
    }
    return numbers;
  }

  // "sdb [1:0:0:0]"
  [[nodiscard]] std::string PathName(const std::string& number) const {
    const auto dev = ParseDev(number);
    if (!dev) return number;
    const std::string name = devices().NameOf(*dev);
    const std::string address = LinkName(world_.roots.sysfs / "block" / name / "device");
    const bool scsi = std::count(address.begin(), address.end(), ':') == 3;
    return scsi ? name + " [" + address + "]" : name;
  }

  std::map<std::string, Map> maps_;  // with a failed path, by the kernel's name
};

}  // namespace

PathTransportPtr MakeMultipathPaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<MultipathPaths>(world, reports);
}

}  // namespace ffdc
