// SPDX-License-Identifier: Apache-2.0
// SCSI disks by their own state and that of the iSCSI session or FC remote port they
// hang on. All of it is printed from memory without a lock: `state` of a device
// (drivers/scsi/scsi_sysfs.c) and of a session, `targetname`, `persistent_address`
// (drivers/scsi/scsi_transport_iscsi.c), `port_state` (scsi_transport_fc.c). Never an
// iSCSI connection's `address`, for which its socket is asked under a mutex.
//
// The sessions and ports are few and read each time; of the disks a slice, and those that
// something was said about.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/mountinfo.h"
#include "base/text.h"
#include "ffdc/abi/block.h"
#include "probe/path_text.h"
#include "probe/path_transport.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

using State = PathState::State;
constexpr size_t kDisksPerPoll = 64;
constexpr size_t kMaxAsked = 1024;
constexpr uint32_t kBusyVisits = 2;  // visits in a row that found I/O: the disk is in use
constexpr uint32_t kUsedVisits = 6;  // less, and it may have been somebody's look at it

struct Disk {
  uint32_t dev = 0;
  std::string id;
  std::string address;  // "1:0:0:0"
  std::string session;  // "session1"; empty: none
  std::string port;     // "rport-1:0-2"; empty: none
  std::string map;      // "dm-0": the multipath device it is a path of
  bool held = false;    // something lies on it
  bool was_live = false;
  uint32_t busy_visits = 0;
  std::string sectors;  // of its `stat`: changes when I/O completes
};

struct Session {
  std::string state;
  std::string target;    // "iqn.2026-01.test:disk 10.0.0.1:3260"
  std::string endpoint;  // "10.0.0.1:3260"
};

class ScsiPaths final : public PathTransport {
 public:
  using PathTransport::PathTransport;

  void OnUevent(const Uevent& event) override {
    if (event.subsystem == "iscsi_session" || event.subsystem == "iscsi_connection") sessions_.clear();
    if (event.subsystem != "block" || event.devtype != "disk") return;
    const std::string name = fs::path(event.devpath).filename().string();
    if (event.action == "remove") {
      Removed(name);
    } else if (event.action == "add" || disks_.contains(name)) {
      Ask(name);
    }
  }

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_RECORD_BLOCK_ERROR) return;
    Ask(devices().NameOf(reinterpret_cast<const ffdc_block_error&>(header).dev));
  }

  void OnKernelMessage(const KernelMessage& message) override {
    const std::string address = ScsiAddressIn(message.text);
    if (address.empty()) return;
    for (const auto& [name, disk] : disks_) {
      if (disk.address == address) Ask(name);
    }
  }

  void Poll() override {
    if (!std::exchange(listed_, true)) {
      for (const BlockDevice* disk : devices().All()) {
        if (disk->type == "scsi") See(disk->name);
      }
    }
    std::set<std::string> visit = std::exchange(asked_, {});
    ReadSessions(visit);
    ReadPorts(visit);
    auto next = disks_.upper_bound(cursor_);
    for (size_t i = 0; i < std::min(kDisksPerPoll, disks_.size()); ++i) {
      if (next == disks_.end()) next = disks_.begin();
      visit.insert(cursor_ = (next++)->first);
    }
    for (const std::string& name : visit) Visit(name);
  }

 private:
  [[nodiscard]] fs::path Folder(const std::string& name) const { return world_.roots.sysfs / "block" / name; }

  void Ask(const std::string& name) {
    if (asked_.size() < kMaxAsked) asked_.insert(name);
  }

  Disk* See(const std::string& name) {
    const auto known = disks_.find(name);
    if (known != disks_.end()) return &known->second;
    const BlockDevice* device = devices().FindByName(name);
    if (device == nullptr || device->type != "scsi") return nullptr;
    Disk disk;
    disk.dev = device->dev;
    disk.id = device->subject.id();
    std::error_code failed;
    // .../host2/session1/target2:0:0/2:0:0:0, .../rport-1:0-2/target1:0:2/1:0:2:0
    const fs::path place = fs::canonical(Folder(name) / "device", failed);
    disk.address = place.filename().string();
    for (const fs::path& part : place) {
      const std::string text = part.string();
      if (text.starts_with("session")) disk.session = text;
      if (text.starts_with("rport-")) disk.port = text;
    }
    return &disks_.emplace(name, std::move(disk)).first->second;
  }

  void ReadSessions(std::set<std::string>& visit) {
    const fs::path folder = world_.roots.sysfs / "class/iscsi_session";
    std::map<std::string, Session> now;
    for (const std::string& name : ListFolder(folder).value_or(std::vector<std::string>())) {
      const auto known = sessions_.find(name);
      Session& session = now[name];
      if (known != sessions_.end()) session = known->second;
      if (session.target.empty()) Describe(name, session);
      session.state = ReadLine(folder / name / "state");
      if (known == sessions_.end() || known->second.state != session.state)
        AskBehind(&Disk::session, name, visit);
    }
    sessions_ = std::move(now);
  }

  void Describe(const std::string& name, Session& session) const {
    session.target = ReadLine(world_.roots.sysfs / "class/iscsi_session" / name / "targetname");
    // connection<session>:<number>; a session has one unless it was made to have more.
    const fs::path connection =
        world_.roots.sysfs / "class/iscsi_connection" / ("connection" + name.substr(7) + ":0");
    const std::string host = ReadLine(connection / "persistent_address");
    if (host.empty() || host == "(null)") return;
    session.endpoint = FormatEndpoint(host, ReadLine(connection / "persistent_port"));
    session.target += " " + session.endpoint;
  }

  void ReadPorts(std::set<std::string>& visit) {
    const fs::path folder = world_.roots.sysfs / "class/fc_remote_ports";
    std::map<std::string, std::string> now;
    for (const std::string& name : ListFolder(folder).value_or(std::vector<std::string>())) {
      now[name] = ReadLine(folder / name / "port_state");
      const auto known = ports_.find(name);
      if (known == ports_.end() || known->second != now[name]) AskBehind(&Disk::port, name, visit);
    }
    ports_ = std::move(now);
  }

  void AskBehind(std::string Disk::*way, const std::string& name, std::set<std::string>& visit) const {
    for (const auto& [disk_name, disk] : disks_) {
      if (disk.*way == name) visit.insert(disk_name);
    }
  }

  void Visit(const std::string& name) {
    Disk* disk = See(name);
    const BlockDevice* device = disk == nullptr ? nullptr : devices().FindByName(name);
    if (device == nullptr) return Removed(name);  // its uevent was lost
    if (!device->watched) return;
    NoteUse(name, *disk);
    const PathView view = Look(name, *disk);
    if (view.state == State::kLive) disk->was_live = true;
    // What nobody uses may lie there offline for years.
    if (!disk->was_live && !InUse(*disk)) return;
    if (!disk->map.empty()) return TellMap(disk->map);
    if (view.state == State::kLive && !reports_.Failing(TransportOf(*disk), disk->id)) return;
    Tell(name, *disk, {view});
  }

  void NoteUse(const std::string& name, Disk& disk) {
    const auto holders = ListFolder(Folder(name) / "holders").value_or(std::vector<std::string>());
    disk.held = !holders.empty();
    disk.map.clear();
    for (const std::string& holder : holders) {
      if (ReadLine(Folder(holder) / "dm/uuid").starts_with("mpath-")) disk.map = holder;
    }
    std::string sectors = ReadLine(Folder(name) / "stat");
    // Without the time in queue, which may go on by itself: completed reads and writes.
    std::string_view rest = sectors;
    std::string completed(NextWord(rest));
    for (int i = 0; i < 3; ++i) NextWord(rest);
    completed.append(" ").append(NextWord(rest));
    const bool moved = !disk.sectors.empty() && completed != disk.sectors;
    disk.busy_visits = moved ? disk.busy_visits + 1 : 0;
    disk.sectors = std::move(completed);
  }

  static bool InUse(const Disk& disk) { return disk.held || disk.busy_visits >= kBusyVisits; }

  [[nodiscard]] PathView Look(const std::string& name, const Disk& disk) const {
    PathView view;
    view.path = name + " [" + disk.address + "]";
    view.detail = ReadLine(Folder(name) / "device/state");
    if (view.detail == "offline" || view.detail == "transport-offline") {
      view.state = State::kLost;
    } else if (view.detail == "blocked" || view.detail == "created-blocked") {
      view.state = State::kTroubled;
    }
    if (const auto session = sessions_.find(disk.session); session != sessions_.end()) {
      view.path += " " + session->second.target;
      // FREE: not logged in yet, or logged out on purpose.
      if (session->second.state == "FAILED") {
        view.state = State::kLost;
        view.detail = "iSCSI session failed, device " + view.detail;
      }
    }
    if (const auto port = ports_.find(disk.port); port != ports_.end()) {
      view.path += " " + disk.port;
      if (port->second == "Blocked" || port->second == "Offline" || port->second == "Not Present" ||
          port->second == "Linkdown" || port->second == "Error") {
        view.state = State::kLost;
        view.detail = "FC port " + port->second + ", device " + view.detail;
      }
    }
    return view;
  }

  static std::string TransportOf(const Disk& disk) {
    return !disk.session.empty() ? "iscsi" : !disk.port.empty() ? "fc" : "scsi";
  }

  // The subject is the multipath device, with all its paths.
  void TellMap(const std::string& map) {
    const BlockDevice* device = devices().FindByName(map);
    if (device == nullptr || !device->watched) return;
    std::vector<PathView> paths;
    const Disk* any = nullptr;
    for (const std::string& name : ListFolder(Folder(map) / "slaves").value_or(std::vector<std::string>())) {
      const Disk* disk = See(name);
      if (disk == nullptr) continue;
      paths.push_back(Look(name, *disk));
      any = disk;
    }
    if (any == nullptr) return;
    const std::string alias = ReadLine(Folder(map) / "dm/name");
    reports_.Report({"block_device",
                     device->subject.id(),
                     alias.empty() ? map : map + " (" + alias + ")",
                     TransportOf(*any),
                     std::move(paths),
                     {},
                     [this, dev = device->dev] { return devices().RelatedTo(dev); }});
  }

  void Tell(const std::string& name, const Disk& disk, std::vector<PathView> paths) {
    reports_.Report({"block_device", disk.id, name, TransportOf(disk), std::move(paths), {}, [this, &disk] {
                       std::vector<std::string> ids = devices().RelatedTo(disk.dev);
                       const auto session = sessions_.find(disk.session);
                       if (session != sessions_.end() && !session->second.endpoint.empty())
                         ids.push_back("endpoint:" + session->second.endpoint);
                       for (const auto& [other_name, other] : disks_) {  // what is lost with it
                         if (ids.size() >= 64) break;
                         const bool same = (!disk.session.empty() && other.session == disk.session) ||
                                           (!disk.port.empty() && other.port == disk.port);
                         if (same && other.id != disk.id) ids.push_back(other.id);
                       }
                       return ids;
                     }});
  }

  // A request to a disk that is gone may never fail: its readers get an end of file.
  void Removed(const std::string& name) {
    const auto found = disks_.find(name);
    if (found == disks_.end()) return;
    const Disk disk = std::move(found->second);
    disks_.erase(found);
    if (!disk.map.empty()) return;  // one path of several: device mapper tells
    std::vector<std::string> points = MountsOf(disk.dev);
    const bool used = disk.held || !points.empty() || disk.busy_visits >= kUsedVisits;
    if (used && disk.was_live && !reports_.Failing(TransportOf(disk), disk.id)) {
      reports_.Report({"block_device",
                       disk.id,
                       name,
                       TransportOf(disk),
                       {{name + " [" + disk.address + "]", State::kLost, "removed while in use", 0}},
                       {},
                       [&points] { return points; }});
    }
    reports_.Report({"block_device", disk.id, name, TransportOf(disk), {}, {}, {}});
  }

  // "mount:<point>" of what is still mounted from it or from its partitions, which follow it.
  [[nodiscard]] std::vector<std::string> MountsOf(uint32_t dev) const {
    std::vector<std::string> points;
    const auto table = ReadMounts(world_.roots.procfs);
    if (!table) return points;
    constexpr uint32_t kMinors = 16;  // SD_MINORS
    for (const Mount& mount : table->mounts) {
      const auto mounted = ParseDev(mount.dev);
      if (mounted && *mounted >= dev && *mounted - dev < kMinors)
        points.push_back("mount:" + PrintableUtf8(mount.point));
    }
    return points;
  }

  std::map<std::string, Disk> disks_;
  std::map<std::string, Session> sessions_;
  std::map<std::string, std::string> ports_;  // FC: state by name
  std::set<std::string> asked_;
  std::string cursor_;
  bool listed_ = false;
};

}  // namespace

PathTransportPtr MakeScsiPaths(const PathWorld& world, PathReports& reports) {
  return std::make_unique<ScsiPaths>(world, reports);
}

}  // namespace ffdc
