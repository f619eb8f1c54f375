// SPDX-License-Identifier: Apache-2.0
// Which remote addresses carry this node's storage: those of mounts, NVMe-oF
// controllers, iSCSI connections, nbd devices and Ceph monitors, the store's, and those the configuration
// names.
// And which belong to its cluster: servers of the DB, and peers.
// All calls from the agent's loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/mountinfo.h"
#include "probe/source.h"

namespace ffdc {

// As many as the table of bpf/sockets.bpf.c holds, with two entries each: what is configured comes first,
// then storage, then the cluster.
inline constexpr size_t kMaxEndpoints = 2048;

// A connection of a network block device, and where it led when a request was sent along it last.
struct NbdConnection {
  uint32_t device = 0;  // 3: nbd3
  uint32_t connection = 0;
  IpAddress address;
  uint16_t port = 0;
};

struct EndpointOptions {
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path procfs = "/proc";
  std::vector<std::string> configured;  // watch.endpoints
  // Identities of a disk ("nvme0n1") and of what lies above it, for Endpoint.related_ids.
  std::function<std::vector<std::string>(const std::string& disk)> identities;
  // Those of bpf/nbd.bpf.c, and that it may forget one: its device was given back.
  std::function<std::vector<NbdConnection>()> nbd_connections;
  std::function<void(const NbdConnection&)> forget_nbd;
  // store.url, one more of the identities that its endpoints carry; where its folder is; and where its
  // servers listen ("10.0.0.1:3300") that no mount tells of.
  std::string store_url;
  std::string store_folder;  // empty: it is none
  std::function<std::vector<std::string>()> store_servers;
  // The cluster's, the DB before the peers.
  std::function<std::vector<Endpoint>()> cluster;
};

class EndpointSource : public ProbeSource {
 public:
  // Empty until the first Rescan() or Poll().
  static std::unique_ptr<EndpointSource> Start(EndpointOptions options, std::function<void()> changed);
  virtual void Rescan() = 0;
  virtual void Outdated() = 0;  // a controller or session came or went: the next Poll() looks
  [[nodiscard]] virtual const std::vector<Endpoint>& All() const = 0;
  // Port 0: of one that opens connections to this node (Endpoint.opens_to_port). nullptr: not watched.
  [[nodiscard]] virtual const Endpoint* Find(const IpAddress& address, uint16_t port) const = 0;
};

struct EndpointList {
  std::vector<Endpoint> endpoints;
  uint64_t left_out = 0;  // beyond kMaxEndpoints
};
EndpointList ReadEndpoints(const EndpointOptions& options);
// Pure: what the options of a network filesystem's mount say.
std::vector<Endpoint> EndpointsOfMount(const Mount& mount);
// "10.0.0.1:6789,[fd00::1]:3300,10.0.0.3", as Ceph writes its monitors (also with '/').
std::vector<Endpoint> ParseMonitors(std::string_view text, uint16_t default_port);

// Makes the map watched_endpoints of bpf/sockets.bpf.c hold exactly these, as reached from
// the network namespace of this inode number. Best effort.
void FillEndpointMap(int map_fd, uint32_t netns, const std::vector<Endpoint>& endpoints);
// What its counterpart nbd_remotes of bpf/nbd.bpf.c holds. Best effort, too.
std::vector<NbdConnection> ReadNbdConnections(int map_fd);
void ForgetNbdConnection(int map_fd, const NbdConnection& connection);
// The inode number of the agent's own network namespace; 0: unknown.
uint32_t OwnNetworkNamespace();

}  // namespace ffdc
