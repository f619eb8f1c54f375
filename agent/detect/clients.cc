// SPDX-License-Identifier: Apache-2.0
#include "detect/clients.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>

#include "base/mountinfo.h"
#include "base/text.h"

namespace ffdc {
namespace {

constexpr size_t kMaxCached = 1024;
// FILEID_KERNFS (include/linux/exportfs.h, since 5.5): a handle that is the 64-bit kernfs id.
constexpr int kFileIdKernfs = 0xfe;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool CutSuffix(std::string_view& text, std::string_view suffix) {
  if (text.size() <= suffix.size() || text.substr(text.size() - suffix.size()) != suffix) return false;
  text.remove_suffix(suffix.size());
  return true;
}

bool IsContainerId(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isxdigit(c) != 0 && std::isupper(c) == 0;
         });
}

using Named = std::optional<std::pair<std::string, std::string>>;  // type, name

// "docker-<id>.scope", "cri-containerd-<id>.scope", "libpod-<id>.scope", or the bare id (cgroupfs driver).
Named AsContainer(std::string_view component) {
  CutSuffix(component, ".scope");
  const size_t dash = component.rfind('-');
  const std::string_view id = dash == std::string_view::npos ? component : component.substr(dash + 1);
  if (!IsContainerId(id)) return std::nullopt;
  return std::pair("container", std::string(id.substr(0, 12)));
}

// machined's scopes: "machine-qemu\x2d3\x2dweb.scope" is libvirt's VM "web", the others are nspawn's
// containers.
Named AsMachine(std::string_view component) {
  if (!StartsWith(component, "machine-") || !CutSuffix(component, ".scope")) return std::nullopt;
  const std::string name = UndoHexEscapes(component.substr(strlen("machine-")));
  if (!StartsWith(name, "qemu-")) return std::pair("container", name);
  const size_t number_end = name.find('-', strlen("qemu-"));
  return std::pair("vm", number_end == std::string::npos ? name : name.substr(number_end + 1));
}

// systemd.unit(5), "string escaping for inclusion in unit names": "\x2d" is "-".
Named AsUnit(std::string_view component) {
  for (const std::string_view suffix : {".service", ".scope", ".socket", ".mount", ".swap"}) {
    std::string_view rest = component;
    if (CutSuffix(rest, suffix)) return std::pair("systemd_unit", UndoHexEscapes(component));
  }
  return std::nullopt;
}

}  // namespace

v1::Client ClientOfCgroupPath(std::string_view path) {
  v1::Client client;
  client.set_cgroup(std::string(path));
  std::vector<std::string_view> components;
  for (size_t start = 0; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    if (end > start) components.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  if (components.empty()) {
    client.set_type("kernel");
    client.set_name("kernel or the root cgroup");
    return client;
  }
  // A container or machine anywhere in the path owns what runs below it; else the innermost unit.
  for (const auto matcher : {AsContainer, AsMachine, AsUnit}) {
    for (auto component = components.rbegin(); component != components.rend(); ++component) {
      if (const auto named = matcher(*component)) {
        client.set_type(named->first);
        client.set_name(named->second);
        return client;
      }
    }
  }
  client.set_type("cgroup");
  client.set_name(std::string(components.back()));
  return client;
}

ClientResolver::ClientResolver(const std::filesystem::path& proc) {
  const auto list = ReadMounts(proc);
  if (!list) return;
  for (const Mount& mount : list->mounts) {
    const bool unified = mount.type == "cgroup2";
    const bool has_blkio = mount.type == "cgroup" && mount.super_options.find("blkio") != std::string::npos;
    if (!unified && !has_blkio) continue;
    Fd fd(open(mount.point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid()) hierarchies_.push_back({mount.point, unified, std::move(fd)});
  }
}

std::string ClientResolver::PathOf(uint64_t cgroup_id, uint32_t hierarchy, std::string* root_path) const {
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof cgroup_id> buffer{};
  auto* handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = sizeof cgroup_id;
  handle->handle_type = kFileIdKernfs;
  memcpy(handle->f_handle, &cgroup_id, sizeof cgroup_id);
  for (const Hierarchy& root : hierarchies_) {
    if (root.unified != (hierarchy == 0)) continue;
    const Fd fd(open_by_handle_at(root.fd.get(), handle, O_PATH | O_CLOEXEC));
    if (!fd.valid()) continue;
    std::error_code code;
    const std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get()), code);
    if (code || !StartsWith(path, root.path)) continue;
    if (root_path != nullptr) *root_path = root.path;
    return path.size() == root.path.size() ? "/" : path.substr(root.path.size());
  }
  return {};
}

std::optional<std::vector<std::filesystem::path>> ClientResolver::Folders(uint64_t cgroup_id,
                                                                          uint32_t hierarchy) const {
  std::string root;
  std::string path = PathOf(cgroup_id, hierarchy, &root);
  std::vector<std::filesystem::path> folders;
  if (path.empty()) {
    const bool mounted = std::any_of(hierarchies_.begin(), hierarchies_.end(), [&](const Hierarchy& other) {
      return other.unified == (hierarchy == 0);
    });
    if (mounted) return std::nullopt;
  }
  while (path.size() > 1) {
    folders.emplace_back(root + path);
    path.resize(path.rfind('/'));
  }
  return folders;
}

v1::Client ClientResolver::Resolve(uint64_t cgroup_id, uint32_t hierarchy) {
  if (cgroup_id == 0) return {};
  const std::pair key(hierarchy, cgroup_id);
  const auto known = cache_.find(key);
  if (known != cache_.end()) return known->second;
  const std::string path = PathOf(cgroup_id, hierarchy);
  v1::Client client;
  if (path.empty()) {
    client.set_type("cgroup");
    client.set_name("cgroup " + std::to_string(cgroup_id) + " (gone)");
    return client;
  }
  client = ClientOfCgroupPath(path);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_[key] = client;
  return client;
}

}  // namespace ffdc
