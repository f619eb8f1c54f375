// SPDX-License-Identifier: Apache-2.0
// The watched endpoints as bpf/sockets.bpf.c looks them up, and those that bpf/nbd.bpf.c finds.
#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include "ffdc/abi/nbd.h"
#include "ffdc/abi/socket.h"
#include "probe/endpoints.h"

namespace ffdc {
namespace {

struct KeyOrder {
  bool operator()(const ffdc_endpoint_key& a, const ffdc_endpoint_key& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;  // it has no padding
  }
};

}  // namespace

void FillEndpointMap(int map_fd, uint32_t netns, const std::vector<Endpoint>& endpoints) {
  if (map_fd < 0 || netns == 0) return;
  std::map<ffdc_endpoint_key, uint16_t, KeyOrder> wanted;
  for (const Endpoint& endpoint : endpoints) {
    ffdc_endpoint_key key{netns, endpoint.address.family, endpoint.port, {}};
    std::copy(endpoint.address.bytes.begin(), endpoint.address.bytes.end(), key.address);
    wanted[key] = 0;
    if (endpoint.opens_to_port == 0) continue;
    key.port = 0;
    wanted[key] = endpoint.opens_to_port;
  }
  std::vector<ffdc_endpoint_key> gone;
  ffdc_endpoint_key key{};
  for (const ffdc_endpoint_key* previous = nullptr; bpf_map_get_next_key(map_fd, previous, &key) == 0;
       previous = &key) {
    if (!wanted.contains(key)) gone.push_back(key);
  }
  for (const ffdc_endpoint_key& old : gone) bpf_map_delete_elem(map_fd, &old);
  for (const auto& [fresh, local_port] : wanted) bpf_map_update_elem(map_fd, &fresh, &local_port, BPF_ANY);
}

std::vector<NbdConnection> ReadNbdConnections(int map_fd) {
  std::vector<NbdConnection> connections;
  if (map_fd < 0) return connections;
  ffdc_nbd_key key{};
  const ffdc_nbd_key* previous = nullptr;
  // Whoever walks over a table that changes may begin anew: it must have an end.
  for (uint32_t steps = 0; steps < FFDC_NBD_MAX_REMOTES; ++steps) {
    if (bpf_map_get_next_key(map_fd, previous, &key) != 0) break;
    previous = &key;
    ffdc_endpoint_key remote{};
    if (bpf_map_lookup_elem(map_fd, &key, &remote) != 0) continue;
    NbdConnection connection{key.device, key.connection, {remote.family, {}}, remote.port};
    std::copy(std::begin(remote.address), std::end(remote.address), connection.address.bytes.begin());
    connections.push_back(connection);
  }
  // In the order of the devices, so that the first of several that share a server names it at each scan.
  std::sort(connections.begin(), connections.end(), [](const NbdConnection& a, const NbdConnection& b) {
    return std::pair(a.device, a.connection) < std::pair(b.device, b.connection);
  });
  return connections;
}

void ForgetNbdConnection(int map_fd, const NbdConnection& connection) {
  const ffdc_nbd_key key{connection.device, connection.connection};
  if (map_fd >= 0) bpf_map_delete_elem(map_fd, &key);
}

uint32_t OwnNetworkNamespace() {
  struct stat state {};
  return stat("/proc/self/ns/net", &state) == 0 ? static_cast<uint32_t>(state.st_ino) : 0;
}

}  // namespace ffdc
