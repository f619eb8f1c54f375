// SPDX-License-Identifier: Apache-2.0
// The watched endpoints as bpf/sockets.bpf.c looks them up.
#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <set>

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
  std::set<ffdc_endpoint_key, KeyOrder> wanted;
  for (const Endpoint& endpoint : endpoints) {
    ffdc_endpoint_key key{netns, endpoint.address.family, endpoint.port, {}};
    std::copy(endpoint.address.bytes.begin(), endpoint.address.bytes.end(), key.address);
    wanted.insert(key);
  }
  std::vector<ffdc_endpoint_key> gone;
  ffdc_endpoint_key key{};
  for (const ffdc_endpoint_key* previous = nullptr; bpf_map_get_next_key(map_fd, previous, &key) == 0;
       previous = &key) {
    if (wanted.erase(key) == 0) gone.push_back(key);
  }
  for (const ffdc_endpoint_key& old : gone) bpf_map_delete_elem(map_fd, &old);
  constexpr uint8_t kPresent = 1;
  for (const ffdc_endpoint_key& fresh : wanted) bpf_map_update_elem(map_fd, &fresh, &kPresent, BPF_ANY);
}

uint32_t OwnNetworkNamespace() {
  struct stat state {};
  return stat("/proc/self/ns/net", &state) == 0 ? static_cast<uint32_t>(state.st_ino) : 0;
}

}  // namespace ffdc
