// SPDX-License-Identifier: Apache-2.0
#include "probe/endpoints.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/fs.h"
#include "base/text.h"
#include "probe/device_identity.h"

namespace ffdc {
namespace {

constexpr size_t kMaxEndpointIds = 64;
constexpr size_t kMaxDisksBehind = 256;  // of one controller or session
constexpr int kPollsBetweenScans = 10;   // Poll() comes twice a second
constexpr uint16_t kNfsPort = 2049;
constexpr uint16_t kNfsRdmaPort = 20049;
constexpr uint16_t kCephPort = 6789;
constexpr uint16_t kCephMessenger2Port = 3300;
constexpr const char* kConfiguration = "configuration";
constexpr std::string_view kNvmeDiscovery = "nqn.2014-08.org.nvmexpress.discovery";

// The value of "name=value" in a comma-separated list; nullopt: not there.
std::optional<std::string_view> Option(std::string_view options, std::string_view name) {
  while (!options.empty()) {
    const std::string_view word = options.substr(0, options.find(','));
    options.remove_prefix(std::min(word.size() + 1, options.size()));
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=')
      return word.substr(name.size() + 1);
  }
  return std::nullopt;
}

// Below, and in all that follows: sysfs attributes that the kernel prints from memory. Not
// nvme's "address", which takes the lock of a queue that may be in error recovery, nor
// iscsi's "address", which asks the socket.
class Reader {
 public:
  explicit Reader(const EndpointOptions& options) : options_(options) {}

  EndpointList Read() {
    for (const std::string& text : options_.configured) {
      if (auto endpoint = ParseEndpoint(text)) Add(std::move(*endpoint), kConfiguration, {});
    }
    ReadMounted();
    for (const std::string& name : Names("class/nvme")) ReadNvme(name);
    for (const std::string& name : Names("class/iscsi_connection")) ReadIscsi(name);
    for (const std::string& name : Names("bus/rbd/devices")) ReadRbd(name);
    ReadNbd();
    if (options_.store_servers) {
      for (const std::string& text : options_.store_servers()) {
        if (auto server = ParseEndpoint(text))
          Add(std::move(*server), "store " + options_.store_url, {options_.store_url});
      }
    }
    if (options_.cluster) {
      for (Endpoint& endpoint : options_.cluster()) Add(std::move(endpoint));
    }
    return std::move(list_);
  }

 private:
  [[nodiscard]] std::vector<std::string> Names(const std::filesystem::path& folder) const {
    auto names = ListFolder(options_.sysfs / folder);
    return names ? std::move(*names) : std::vector<std::string>();
  }

  void ReadMounted() {
    const auto mounts = ReadMounts(options_.procfs);
    if (!mounts) return;
    const Mount* of_store =
        options_.store_folder.empty() ? nullptr : MountOfPath(*mounts, options_.store_folder);
    for (const Mount& mount : mounts->mounts) {
      for (Endpoint& endpoint : EndpointsOfMount(mount)) {
        if (&mount == of_store) endpoint.related_ids.push_back(options_.store_url);
        Add(std::move(endpoint));
      }
    }
  }

  void Add(Endpoint endpoint) {
    const std::string source = endpoint.source;
    const auto related = std::move(endpoint.related_ids);
    Add(std::move(endpoint), source, related);
  }

  void Add(Endpoint endpoint, const std::string& source, const std::vector<std::string>& related) {
    const EndpointRole role = endpoint.role;
    const auto key = std::make_pair(endpoint.address.bytes, endpoint.port);
    auto known = index_.find(key);
    if (known == index_.end()) {
      if (list_.endpoints.size() >= kMaxEndpoints) {
        ++list_.left_out;
        return;
      }
      endpoint.source = source;
      endpoint.related_ids.clear();
      list_.endpoints.push_back(std::move(endpoint));
      known = index_.emplace(key, list_.endpoints.size() - 1).first;
    }
    // What the configuration names it does not tell the use of.
    if (list_.endpoints[known->second].source == kConfiguration) list_.endpoints[known->second].role = role;
    auto& ids = list_.endpoints[known->second].related_ids;
    for (const std::string& id : related) {
      if (ids.size() >= kMaxEndpointIds) break;
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
  }

  std::vector<std::string> Identities(const std::set<std::string>& disks) const {
    std::vector<std::string> ids;
    if (!options_.identities) return ids;
    for (const std::string& disk : disks) {
      for (std::string& id : options_.identities(disk)) ids.push_back(std::move(id));
    }
    return ids;
  }

  // Since 5.4 the class's uevent has the address; PCIe controllers have none.
  void ReadNvme(const std::string& name) {
    const std::filesystem::path folder = options_.sysfs / "class/nvme" / name;
    const std::string nqn = ReadLine(folder / "subsysnqn");
    if (nqn == kNvmeDiscovery) return;
    const auto text = ReadFile(folder / "uevent", 64u << 10);
    if (!text) return;
    std::string_view left = *text;
    std::string_view address;
    std::string_view port;
    while (!left.empty()) {
      const std::string_view line = NextLine(left);
      if (line.starts_with("NVME_TRADDR=")) address = line.substr(line.find('=') + 1);
      if (line.starts_with("NVME_TRSVCID=")) port = line.substr(line.find('=') + 1);
    }
    std::vector<std::string> related = Identities(NvmeDisks(name));
    related.push_back(PrintableUtf8("nvme:" + nqn));
    AddText(address, port, "nvme controller " + name, related);
  }

  // Its own namespaces, and with native multipath those of its subsystem.
  std::set<std::string> NvmeDisks(const std::string& controller) const {
    std::set<std::string> disks;
    const auto collect = [&](const std::filesystem::path& folder) {
      for (const std::string& name : Names(folder)) {
        const bool is_disk = name.starts_with("nvme") && name.find('n', 4) != std::string::npos &&
                             name.find_first_not_of("0123456789n", 4) == std::string::npos;
        if (is_disk && disks.size() < kMaxDisksBehind) disks.insert(name);
      }
    };
    collect(std::filesystem::path("class/nvme") / controller);
    for (const std::string& subsystem : Names("class/nvme-subsystem")) {
      const auto folder = std::filesystem::path("class/nvme-subsystem") / subsystem;
      if (Exists(options_.sysfs / folder / controller)) collect(folder);
    }
    return disks;
  }

  void ReadIscsi(const std::string& name) {
    const std::filesystem::path folder = options_.sysfs / "class/iscsi_connection" / name;
    // "connection<session>:<connection>"
    const std::string session =
        "session" + name.substr(0, name.find(':')).substr(std::string("connection").size());
    const std::filesystem::path device = std::filesystem::path("class/iscsi_session") / session / "device";
    std::set<std::string> disks;
    for (const std::string& target : Names(device)) {
      if (!target.starts_with("target")) continue;
      for (const std::string& unit : Names(device / target)) {
        if (unit.find(':') == std::string::npos) continue;
        for (const std::string& disk : Names(device / target / unit / "block"))
          if (disks.size() < kMaxDisksBehind) disks.insert(disk);
      }
    }
    AddText(ReadLine(folder / "persistent_address"), ReadLine(folder / "persistent_port"), "iscsi " + session,
            Identities(disks));
  }

  // The line the device was mapped with. It holds a secret: only its first word is looked at.
  void ReadRbd(const std::string& id) {
    const std::string line = ReadLine(options_.sysfs / "bus/rbd/devices" / id / "config_info");
    std::string_view text = line;
    const auto related = Identities({"rbd" + id});
    for (Endpoint& monitor : ParseMonitors(NextWord(text), kCephPort))
      Add(std::move(monitor), "rbd" + id, related);
  }

  // Several connections of one device mostly lead to one server: its endpoint is one.
  void ReadNbd() {
    if (!options_.nbd_connections) return;
    struct Disk {
      bool set_up = false;
      std::vector<std::string> related;
    };
    std::map<uint32_t, Disk> disks;
    for (const NbdConnection& connection : options_.nbd_connections()) {
      const std::string name = "nbd" + std::to_string(connection.device);
      auto known = disks.find(connection.device);
      if (known == disks.end()) {
        Disk disk;
        disk.set_up = !ReadLine(options_.sysfs / "block" / name / "pid").empty();
        if (disk.set_up) disk.related = Identities({name});
        known = disks.emplace(connection.device, std::move(disk)).first;
      }
      if (known->second.set_up) {
        Add({connection.address, connection.port, {}, {}}, name, known->second.related);
      } else if (options_.forget_nbd) {
        options_.forget_nbd(connection);
      }
    }
  }

  void AddText(std::string_view address, std::string_view port, const std::string& source,
               const std::vector<std::string>& related) {
    const auto ip = ParseIpAddress(address);
    const auto number = ParseNumber<uint16_t>(port);
    if (ip && number && *number != 0) Add({*ip, *number, {}, {}}, source, related);
  }

  const EndpointOptions& options_;
  EndpointList list_;
  std::map<std::pair<std::array<uint8_t, 16>, uint16_t>, size_t> index_;
};

class EndpointWatcher final : public EndpointSource {
 public:
  EndpointWatcher(EndpointOptions options, std::function<void()> changed)
      : options_(std::move(options)), changed_(std::move(changed)) {
    // The mount table is always readable and tells of changes as POLLPRI, which the loop does
    // not ask for: an epoll of its own does. It need not be read, Consume() looks again anyway.
    mounts_ = Fd(open((options_.procfs / "self/mountinfo").c_str(), O_RDONLY | O_CLOEXEC));
    poll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    epoll_event wanted{};
    wanted.events = EPOLLPRI;
    if (mounts_.valid() && epoll_ctl(poll_.get(), EPOLL_CTL_ADD, mounts_.get(), &wanted) != 0)
      mounts_.reset();
  }

  [[nodiscard]] int poll_fd() const override { return mounts_.valid() ? poll_.get() : -1; }
  void Consume() override {
    epoll_event ready{};
    epoll_wait(poll_.get(), &ready, 1, 0);
    outdated_ = true;
  }
  void Poll() override {
    if (++polls_ >= kPollsBetweenScans || outdated_) Rescan();
  }
  void Outdated() override { outdated_ = true; }

  void Rescan() override {
    polls_ = 0;
    outdated_ = false;
    EndpointList found = ReadEndpoints(options_);
    left_out_ = found.left_out;
    if (found.endpoints == endpoints_) return;
    endpoints_ = std::move(found.endpoints);
    changed_();
  }
  [[nodiscard]] const std::vector<Endpoint>& All() const override { return endpoints_; }
  [[nodiscard]] const Endpoint* Find(const IpAddress& address, uint16_t port) const override {
    const auto found = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const Endpoint& e) {
      return (port == 0 ? e.opens_to_port != 0 : e.port == port) && e.address == address;
    });
    return found == endpoints_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("endpoints");
    status.set_active(true);
    std::map<EndpointRole, size_t> roles{{EndpointRole::kStorage, 0}};
    for (const Endpoint& endpoint : endpoints_) ++roles[endpoint.role];
    std::string words = std::to_string(endpoints_.size()) + " addresses";
    for (const auto& [role, count] : roles)
      words += (role == EndpointRole::kStorage ? ": " : ", ") + std::to_string(count) + " " +
               std::string(Word(role));
    status.set_attached_to(words);
    if (left_out_ != 0) {
      v1::Loss& loss = *status.add_counters();
      loss.set_what("left_out");
      loss.set_count(left_out_);
      loss.set_detail("addresses beyond " + std::to_string(kMaxEndpoints) + ": not watched");
    }
    return {status};
  }

 private:
  const EndpointOptions options_;
  const std::function<void()> changed_;
  Fd mounts_;
  Fd poll_;
  int polls_ = 0;
  bool outdated_ = true;
  std::vector<Endpoint> endpoints_;
  uint64_t left_out_ = 0;
};

}  // namespace

std::unique_ptr<EndpointSource> EndpointSource::Start(EndpointOptions options,
                                                      std::function<void()> changed) {
  return std::make_unique<EndpointWatcher>(std::move(options), std::move(changed));
}

EndpointList ReadEndpoints(const EndpointOptions& options) { return Reader(options).Read(); }

std::vector<Endpoint> ParseMonitors(std::string_view text, uint16_t default_port) {
  std::vector<Endpoint> monitors;
  while (!text.empty() && monitors.size() < kMaxEndpoints) {
    const std::string_view word = text.substr(0, text.find_first_of(",/"));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (auto endpoint = ParseEndpoint(word)) {
      monitors.push_back(std::move(*endpoint));
    } else if (const auto address = ParseIpAddress(word)) {
      monitors.push_back({*address, default_port, {}, {}});
    }
  }
  return monitors;
}

std::vector<Endpoint> EndpointsOfMount(const Mount& mount) {
  std::vector<Endpoint> endpoints;
  const std::string_view options = mount.super_options;
  if (mount.type == "nfs" || mount.type == "nfs4") {
    const auto address = ParseIpAddress(Option(options, "addr").value_or(""));
    if (!address) return {};
    const bool rdma = Option(options, "proto").value_or("").starts_with("rdma");
    uint16_t port = ParseNumber<uint16_t>(Option(options, "port").value_or("0")).value_or(0);
    if (port == 0) port = rdma ? kNfsRdmaPort : kNfsPort;
    endpoints.push_back({*address, port, {}, {PrintableUtf8("nfs:" + mount.source)}});
  } else if (mount.type == "ceph") {
    const std::string_view mode = Option(options, "ms_mode").value_or("legacy");
    const uint16_t port = mode == "legacy" ? kCephPort : kCephMessenger2Port;
    // "user@fsid.fs=/path" with mon_addr since 5.17, "10.0.0.1:6789,10.0.0.2:6789:/path" before.
    const auto monitors = Option(options, "mon_addr");
    std::string_view source = mount.source;
    if (const size_t path = source.find(":/"); path != std::string_view::npos)
      source = source.substr(0, path);
    endpoints = ParseMonitors(monitors ? *monitors : source, port);
  }
  for (Endpoint& endpoint : endpoints) {
    endpoint.source = PrintableUtf8(mount.type + " mount " + mount.point);
    endpoint.related_ids.push_back(PrintableUtf8("mount:" + mount.point));
  }
  return endpoints;
}

}  // namespace ffdc
