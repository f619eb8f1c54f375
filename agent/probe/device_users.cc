// SPDX-License-Identifier: Apache-2.0
#include "probe/device_users.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <deque>
#include <unordered_set>

#include "base/fs.h"
#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string UnescapeMount(std::string_view text) {
  std::string out;
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
        octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> ListDir(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(dir, failed), end; !failed && it != end; it.increment(failed))
    names.push_back(it->path().filename().string());
  // "sda2" before "sda10".
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

// "nvme0n1" of the path device "nvme0c2n1": no sysfs link leads from one to the other.
std::string NvmeHead(const std::string& name) {
  const size_t c = name.find('c');
  const size_t n = name.find('n', c == std::string::npos ? 0 : c);
  if (!name.starts_with("nvme") || c == std::string::npos || n == std::string::npos) return {};
  return name.substr(0, c) + name.substr(n);
}

// Walks the stack upwards, breadth first: what is nearest comes first.
class UserWalk {
 public:
  UserWalk(const DeviceRoots& roots, MountTable& mounts) : roots_(roots), mounts_(mounts) {}

  std::vector<std::string> Walk(const std::string& disk) {
    Push(roots_.sysfs / "block" / disk, disk);
    while (!queue_.empty() && users_.size() <= kMaxUsers) {
      const Node node = queue_.front();
      queue_.pop_front();
      Visit(node);
    }
    if (users_.size() > kMaxUsers) {
      users_.resize(kMaxUsers);
      users_.emplace_back("... and more");
    }
    return std::move(users_);
  }

 private:
  struct Node {
    fs::path dir;
    std::string name;
    std::string dm_name;
  };

  bool Push(const fs::path& dir, const std::string& name) {
    if (!seen_.insert(name).second) return false;  // two ways up, or a broken tree's cycle
    queue_.push_back({dir, name, ReadLine(dir / "dm/name")});
    return true;
  }

  void AddHolder(const std::string& name) {
    if (!Push(roots_.sysfs / "block" / name, name)) return;
    const std::string& dm_name = queue_.back().dm_name;
    users_.push_back(PrintableUtf8(dm_name.empty() ? name : name + " (" + dm_name + ")"));
  }

  void Visit(const Node& node) {
    if (const auto dev = ParseDev(ReadLine(node.dir / "dev"))) {
      for (auto& mount : mounts_.MountsOf(*dev, {node.name, node.dm_name}))
        users_.push_back(std::move(mount));
    }
    for (const std::string& child : ListDir(node.dir)) {
      std::error_code ignored;
      const fs::path dir = node.dir / child;
      if (!child.starts_with(node.name) || !fs::exists(dir / "partition", ignored)) continue;
      if (Push(dir, child)) users_.push_back(PrintableUtf8(child));
    }
    for (const std::string& holder : ListDir(node.dir / "holders")) AddHolder(holder);
    if (const std::string head = NvmeHead(node.name); !head.empty()) AddHolder(head);
  }

  const DeviceRoots& roots_;
  MountTable& mounts_;
  std::deque<Node> queue_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> users_;
};

}  // namespace

MountTable::MountTable(const DeviceRoots& roots)
    : fd_(open((roots.procfs / "self/mountinfo").c_str(), O_RDONLY | O_CLOEXEC)) {}

void MountTable::Update() {
  if (!fd_.valid()) return;
  pollfd change{fd_.get(), POLLPRI, 0};
  const bool changed = poll(&change, 1, 0) > 0;
  if (loaded_ && !changed) return;
  loaded_ = true;
  by_dev_.clear();
  by_source_.clear();

  std::string text;
  std::array<char, 16384> chunk;
  lseek(fd_.get(), 0, SEEK_SET);
  ssize_t got = 0;
  while ((got = read(fd_.get(), chunk.data(), chunk.size())) > 0 || (got < 0 && errno == EINTR))
    if (got > 0) text.append(chunk.data(), static_cast<size_t>(got));
  std::string_view rest = text;
  while (!rest.empty()) ParseLine(NextLine(rest));
}

// 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
void MountTable::ParseLine(std::string_view line) {
  const size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return;
  std::array<std::string_view, 5> head;
  size_t at = 0;
  for (auto& field : head) {
    const size_t end = std::min(line.find(' ', at), dash);
    field = line.substr(at, end - at);
    at = std::min(end + 1, dash);
  }
  const std::string_view tail = line.substr(dash + 3);
  const size_t type_end = std::min(tail.find(' '), tail.size());
  const std::string_view after = tail.substr(std::min(type_end + 1, tail.size()));
  const auto dev = ParseDev(head[2]);
  if (!dev || head[4].empty()) return;

  const std::string label =
      PrintableUtf8(UnescapeMount(head[4]) + " (" + std::string(tail.substr(0, type_end)) + ")");
  if (FFDC_DEV_MAJOR(*dev) != 0) {
    by_dev_.emplace(*dev, label);
    return;
  }
  const std::string source = UnescapeMount(after.substr(0, after.find(' ')));
  if (source.starts_with("/dev/")) by_source_.emplace(fs::path(source).filename().string(), label);
}

std::vector<std::string> MountTable::MountsOf(uint32_t dev, const std::vector<std::string>& names) {
  Update();
  std::vector<std::string> found;
  const auto [first, last] = by_dev_.equal_range(dev);
  for (auto it = first; it != last; ++it) found.push_back(it->second);
  for (const std::string& name : names) {
    const auto [from, to] = by_source_.equal_range(name);
    for (auto it = from; it != to; ++it) found.push_back(it->second);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> ReadUsers(const DeviceRoots& roots, const std::string& disk, MountTable& mounts) {
  return UserWalk(roots, mounts).Walk(disk);
}

}  // namespace ffdc
