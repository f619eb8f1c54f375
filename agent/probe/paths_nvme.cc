// SPDX-License-Identifier: Apache-2.0
// NVMe controllers, local and over fabrics, by themselves or as the paths of native
// multipath. What is read is printed from the driver's memory without a lock
// (drivers/nvme/host/sysfs.c, multipath.c): state, subsysnqn, cntrltype, ana_state,
// and `uevent` for the address. Never `address`: since 6.1 NVMe/TCP asks its socket
// for it, under a mutex that error recovery holds.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/block_dev.h"
#include "base/fs.h"
#include "probe/path_text.h"
#include "probe/path_transport.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

using State = PathState::State;
constexpr size_t kMaxGone = 256;            // lost controllers that were removed
constexpr size_t kMaxNamespacesNamed = 32;  // namespaces named as related
constexpr uint32_t kPollsPerRescan = 20;    // uevents tell of what comes and goes; 10 s without them
constexpr size_t kAnaReadsPerPoll = 64;

struct Controller {
  std::string name;  // "nvme1"
  std::string nqn;
  std::string transport;  // "tcp"
  std::string address;    // "10.0.0.1:4420"; empty for pcie
  std::string state;
  std::map<std::string, std::string> ana_by_disk;  // its path to each namespace: ""; else the ANA state
  bool was_live = false;
  bool present = true;
  uint32_t bad_polls = 0;
  uint64_t bad_since_ns = 0;

  [[nodiscard]] std::string Label() const {
    return name + " " + transport + (address.empty() ? "" : " " + address);
  }
};

bool Leaving(const std::string& state) { return state.starts_with("deleting"); }
bool AnaUsable(const std::string& ana) { return ana.empty() || ana == "optimized" || ana == "non-optimized"; }

class NvmePaths final : public PathTransport {
 public:
  using PathTransport::PathTransport;

  void OnUevent(const Uevent& event) override {
    if (event.subsystem.starts_with("nvme")) rescan_ = true;
    if (event.subsystem == "block" && fs::path(event.devpath).filename().string().starts_with("nvme"))
      rescan_ = true;
  }

  void Poll() override {
    if (++polls_ % kPollsPerRescan == 0 || std::exchange(rescan_, false) || polls_ == 1) Rescan();
    std::set<std::string> changed;  // subsystems
    for (auto& [name, controller] : controllers_) {
      if (ReadState(controller)) changed.insert(controller.nqn);
    }
    ReadAna(changed);
    for (const std::string& nqn : changed) Tell(nqn);
    std::erase_if(controllers_,
                  [](const auto& entry) { return !entry.second.present && entry.second.bad_since_ns == 0; });
  }

 private:
  [[nodiscard]] fs::path ClassOf(const std::string& name) const {
    return world_.roots.sysfs / "class/nvme" / name;
  }

  void Rescan() {
    const auto names = ListFolder(world_.roots.sysfs / "class/nvme");
    if (!names) return;
    for (const std::string& name : *names) Refresh(name);
  }

  void Refresh(const std::string& name) {
    auto found = controllers_.find(name);
    const std::string nqn = ReadLine(ClassOf(name) / "subsysnqn");
    if (found == controllers_.end() || !found->second.present || found->second.nqn != nqn) {
      const NvmeAddress address = ParseNvmeUevent(ReadLine(ClassOf(name) / "uevent"));
      if (nqn.empty() || nqn == "nqn.2014-08.org.nvmexpress.discovery" ||
          ReadLine(ClassOf(name) / "cntrltype") == "discovery")
        return;
      if (found != controllers_.end()) Forget(found->second);
      Controller fresh;
      fresh.name = name;
      fresh.nqn = nqn;
      fresh.transport = address.transport;
      fresh.address = address.address;
      found = controllers_.insert_or_assign(name, std::move(fresh)).first;
      Replaces(found->second);
    }
    Controller& controller = found->second;
    std::map<std::string, std::string> disks;
    for (const std::string& entry : ListFolder(ClassOf(name)).value_or(std::vector<std::string>())) {
      if (!entry.starts_with("nvme") || entry.find('n', 4) == std::string::npos) continue;
      const auto known = controller.ana_by_disk.find(entry);
      disks[entry] = known == controller.ana_by_disk.end() ? "" : known->second;
    }
    if (!disks.empty() || !controller.was_live) controller.ana_by_disk = std::move(disks);
    // It gets disks when it is live: one that has them has been, however late the agent looks.
    if (!controller.ana_by_disk.empty()) controller.was_live = true;
  }

  // A lost controller of the same address has come back under another number.
  void Replaces(const Controller& fresh) {
    for (auto& [name, old] : controllers_) {
      if (!old.present && name != fresh.name && old.nqn == fresh.nqn && old.address == fresh.address)
        Forget(old);
    }
  }
  static void Forget(Controller& controller) { controller.present = false, controller.bad_since_ns = 0; }

  // Whether the paths of its subsystem changed.
  bool ReadState(Controller& controller) {
    if (!controller.present) return false;
    const uint64_t now = world_.clock->MonotonicNs();
    const std::string state = ReadLine(ClassOf(controller.name) / "state");
    const std::string before = std::exchange(controller.state, state);
    if (state == "live") {
      const bool news = controller.bad_since_ns != 0 || before != "live";
      controller.was_live = true;
      controller.bad_polls = 0;
      controller.bad_since_ns = 0;
      return news;
    }
    if (state.empty()) return Gone(controller, before);
    // Taken away on purpose: it went from live to deleting. Nothing of it is missed.
    if (!controller.was_live || (Leaving(state) && controller.bad_since_ns == 0)) return state != before;
    if (controller.bad_since_ns == 0) controller.bad_since_ns = now;
    // A reset that somebody asked for is over before the second look.
    return ++controller.bad_polls == 2 || (controller.bad_polls > 2 && state != before);
  }

  bool Gone(Controller& controller, const std::string& before) {
    controller.present = false;
    const bool given_up = controller.bad_since_ns != 0;
    size_t gone = 0;
    for (const auto& [name, other] : controllers_) gone += other.present ? 0 : 1;
    if (!given_up || gone > kMaxGone) {
      controller.bad_since_ns = 0;
    } else {
      controller.state = "removed while " + (before.empty() ? "lost" : before);
      controller.bad_polls = 2;
    }
    return controller.was_live;
  }

  void ReadAna(std::set<std::string>& changed) {
    size_t budget = kAnaReadsPerPoll;
    const size_t count = controllers_.size();
    if (count == 0) return;
    auto next = controllers_.upper_bound(ana_cursor_);
    for (size_t i = 0; i < count && budget > 0; ++i) {
      if (next == controllers_.end()) next = controllers_.begin();
      Controller& controller = next->second;
      ana_cursor_ = next->first;
      ++next;
      if (!controller.present || controller.state != "live") continue;
      for (auto& [disk, ana] : controller.ana_by_disk) {
        if (NvmeHead(disk).empty()) continue;  // not a path of native multipath
        budget -= std::min<size_t>(budget, 1);
        const std::string now = ReadLine(ClassOf(controller.name) / disk / "ana_state");
        if (!now.empty() && AnaUsable(now) != AnaUsable(ana)) changed.insert(controller.nqn);
        if (!now.empty()) ana = now;
      }
    }
  }

  // Every namespace of the subsystem, each with all its paths.
  void Tell(const std::string& nqn) {
    std::map<std::string, std::vector<PathView>> heads;
    std::vector<PathView> paths;  // of the subsystem itself, where no namespace is known
    std::set<std::string> related{"nvme:" + nqn};
    std::string transport = "nvme";
    for (const auto& [name, controller] : controllers_) {
      if (controller.nqn != nqn) continue;
      if (!controller.address.empty()) related.insert("endpoint:" + controller.address);
      transport = "nvme-" + controller.transport;
      for (const auto& [disk, ana] : controller.ana_by_disk) {
        const std::string head = NvmeHead(disk).empty() ? disk : NvmeHead(disk);
        heads.try_emplace(head);
        if (Counts(controller)) heads[head].push_back(View(controller, ana));
      }
      if (Counts(controller)) paths.push_back(View(controller, ""));
    }
    if (heads.empty())
      return reports_.Report(
          {"nvme_subsystem", "nvme:" + nqn, nqn, transport, std::move(paths), {}, [related] {
             return std::vector<std::string>(related.begin(), related.end());
           }});
    std::set<std::string> siblings;
    for (const auto& [head, views] : heads) Remember(head);
    for (const auto& [head, views] : heads) {
      if (siblings.size() < kMaxNamespacesNamed) siblings.insert(ids_[head]);
    }
    related.insert(siblings.begin(), siblings.end());
    for (auto& [head, views] : heads) TellHead(head, transport, std::move(views), related);
  }

  static bool Counts(const Controller& controller) {
    if (!controller.was_live) return false;
    return controller.bad_since_ns != 0 || (controller.present && !Leaving(controller.state));
  }

  static PathView View(const Controller& controller, const std::string& ana) {
    PathView view{controller.Label(), State::kLive, controller.state, controller.bad_since_ns};
    // A local drive that is being reset after a timeout is not lost yet.
    const bool resetting = controller.transport == "pcie" && controller.state != "dead" && controller.present;
    if (controller.bad_polls >= 2) {
      view.state = resetting ? State::kTroubled : State::kLost;
    } else if (!AnaUsable(ana)) {
      view.state = State::kTroubled;  // the storage's own choice: it may stand by
      view.detail = "ANA " + ana;
    }
    return view;
  }

  // The identity of a disk, also after it is gone.
  void Remember(const std::string& head) {
    const BlockDevice* disk = devices().FindByName(head);
    if (disk != nullptr) ids_[head] = disk->subject.id();
    if (disk != nullptr && !disk->watched) ids_[head].clear();
  }

  void TellHead(const std::string& head, const std::string& transport, std::vector<PathView> views,
                const std::set<std::string>& related) {
    const std::string id = ids_[head];
    if (id.empty()) return;
    const BlockDevice* disk = devices().FindByName(head);
    const bool lost_all = std::none_of(views.begin(), views.end(),
                                       [](const PathView& view) { return view.state == State::kLive; });
    // Given up: its controllers are gone, and the disk with them.
    if (disk == nullptr && lost_all) views.clear();
    reports_.Report({"block_device", id, head, transport, std::move(views), {}, [this, head, related] {
                       std::vector<std::string> all(related.begin(), related.end());
                       if (const BlockDevice* device = devices().FindByName(head))
                         for (std::string& other : devices().RelatedTo(device->dev))
                           all.push_back(std::move(other));
                       return all;
                     }});
    if (disk == nullptr) ids_.erase(head);
  }

  std::map<std::string, Controller> controllers_;
  std::map<std::string, std::string> ids_;  // namespace head -> identity
  std::string ana_cursor_;
  uint32_t polls_ = 0;
  bool rescan_ = false;
};

}  // namespace

PathTransportPtr MakeNvmePaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<NvmePaths>(world, reports);
}

}  // namespace ffdc
