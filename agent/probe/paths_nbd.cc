// SPDX-License-Identifier: Apache-2.0
// nbd: the kernel says nowhere but in its log that a server is gone; `pid`, printed
// from the driver's memory (drivers/block/nbd.c), says only whether a device is set up.
#include <map>
#include <utility>

#include "base/fs.h"
#include "probe/path_text.h"
#include "probe/path_transport.h"

namespace ffdc {
namespace {

constexpr uint32_t kDisconnectSettlesPolls = 4;  // 2 s: what the kernel says after a disconnect

class NbdPaths final : public PathTransport {
 public:
  using PathTransport::PathTransport;

  void OnUevent(const Uevent& event) override {
    const std::string name = std::filesystem::path(event.devpath).filename().string();
    if (event.subsystem == "block" && name.starts_with("nbd")) See(name);
  }

  void OnKernelMessage(const KernelMessage& message) override {
    const auto said = ParseNbdMessage(message.text);
    if (!said) return;
    using What = NbdMessage::What;
    Device* device = See(said->device);
    if (device == nullptr) return;
    if (said->what == What::kDisconnected) {
      device->leaving_polls = kDisconnectSettlesPolls;
    } else if (device->leaving_polls == 0) {
      const bool lost = said->what == What::kLost;
      Tell(said->device, *device, lost ? said->alive.value_or(0) : 1, lost ? said->total.value_or(1) : 1,
           said->detail, message.time_ns);
    }
  }

  void Poll() override {
    if (!std::exchange(listed_, true)) {
      for (const BlockDevice* disk : devices().All()) {
        if (disk->type == "nbd") See(disk->name);
      }
    }
    for (auto next = devices_.begin(); next != devices_.end();) {
      const auto found = next++;
      Device& device = found->second;
      if (device.leaving_polls > 0) --device.leaving_polls;
      const std::string pid = ReadLine(Folder(found->first) / "pid");
      if (!pid.empty() && pid == device.pid) continue;
      // Given back, or another server: what was said of the former one is over.
      if (pid.empty()) {
        reports_.Report({"block_device", device.id, found->first, "nbd", {}, {}, {}});
        devices_.erase(found);
      } else if (!device.pid.empty()) {
        device.pid = pid;
        Tell(found->first, device, 1, 1, "connected", 0);
      } else {
        device.pid = pid;
      }
    }
  }

 private:
  struct Device {
    std::string id;
    std::string pid;
    uint32_t leaving_polls = 0;
  };

  [[nodiscard]] std::filesystem::path Folder(const std::string& name) const {
    return world_.roots.sysfs / "block" / name;
  }

  // nullptr: not set up, or not watched.
  Device* See(const std::string& name) {
    const auto known = devices_.find(name);
    if (known != devices_.end()) return &known->second;
    const std::string pid = ReadLine(Folder(name) / "pid");
    const BlockDevice* disk = pid.empty() ? nullptr : devices().FindByName(name);
    if (disk == nullptr || !disk->watched) return nullptr;
    return &devices_.emplace(name, Device{disk->subject.id(), pid}).first->second;
  }

  void Tell(const std::string& name, const Device& device, uint32_t alive, uint32_t total,
            const std::string& detail, uint64_t time_ns) {
    std::vector<PathView> connections;
    for (uint32_t i = 0; i < std::min(total, 64u); ++i) {
      const bool live = i >= total - std::min(alive, total);
      connections.push_back({name + (total > 1 ? " connection " + std::to_string(i) : " connection"),
                             live ? PathState::State::kLive : PathState::State::kLost,
                             live ? "connected" : detail, live ? 0 : time_ns});
    }
    reports_.Report({"block_device", device.id, name, "nbd", std::move(connections), {}, [this, name] {
                       const BlockDevice* disk = devices().FindByName(name);
                       return disk == nullptr ? std::vector<std::string>() : devices().RelatedTo(disk->dev);
                     }});
  }

  std::map<std::string, Device> devices_;  // set up
  bool listed_ = false;
};

}  // namespace

PathTransportPtr MakeNbdPaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<NbdPaths>(world, reports);
}

}  // namespace ffdc
