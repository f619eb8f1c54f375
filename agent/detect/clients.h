// SPDX-License-Identifier: Apache-2.0
// Who owns a cgroup: the systemd unit, container or virtual machine whose I/O
// failed. Asks cgroupfs alone, which does not block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc {

// path below the hierarchy's root: "/system.slice/postgresql.service". Pure.
v1::Client ClientOfCgroupPath(std::string_view path);

class ClientResolver {
 public:
  // Finds the cgroup mounts: the v2 hierarchy and v1's blkio.
  explicit ClientResolver(const std::filesystem::path& proc = "/proc");
  // id: kernfs id of the cgroup, hierarchy: 0 = v2. Type "" for id 0 (nobody known).
  v1::Client Resolve(uint64_t cgroup_id, uint32_t hierarchy);
  // The folder of the cgroup and of each above it, but for the hierarchy's root; none where the
  // hierarchy is not mounted; nullopt: the cgroup is gone.
  [[nodiscard]] std::optional<std::vector<std::filesystem::path>> Folders(uint64_t cgroup_id,
                                                                          uint32_t hierarchy) const;

 private:
  struct Hierarchy {
    std::string path;
    bool unified = false;
    Fd fd;
  };
  // Below the root of its hierarchy, which *root gets.
  std::string PathOf(uint64_t cgroup_id, uint32_t hierarchy, std::string* root = nullptr) const;

  std::vector<Hierarchy> hierarchies_;
  std::map<std::pair<uint32_t, uint64_t>, v1::Client> cache_;
};

}  // namespace ffdc
