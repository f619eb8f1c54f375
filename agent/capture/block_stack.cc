// SPDX-License-Identifier: Apache-2.0
#include "capture/block_stack.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/text.h"

namespace ffdc {
namespace fs = std::filesystem;
namespace {

void AddOnce(std::vector<std::string>& names, std::string name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
}

class Finder {
 public:
  Finder(const KernelRoots& roots, const MountList& mounts)
      : roots_(roots), mounts_(mounts), all_(FolderEntries(roots.sys / "class/block")) {
    FindLoopFiles();
  }

  [[nodiscard]] const std::vector<std::string>& all() const { return all_; }
  [[nodiscard]] fs::path Folder(const std::string& name) const { return roots_.sys / "class/block" / name; }

  [[nodiscard]] BlockNode Read(const std::string& name) const {
    BlockNode node;
    node.name = name;
    node.folder = Folder(name);
    node.dev = ReadLine(node.folder / "dev");
    for (const std::string& slave : FolderEntries(node.folder / "slaves")) AddOnce(node.below, slave);
    for (const std::string& holder : FolderEntries(node.folder / "holders")) AddOnce(node.above, holder);
    AddPartitions(node);
    AddPaths(node);
    AddLoops(node);
    return node;
  }

 private:
  // A loop device stands on the filesystem of its file, which sysfs does not say.
  void FindLoopFiles() {
    for (const std::string& name : all_) {
      const std::string file = ReadLine(Folder(name) / "loop/backing_file");
      if (file.empty()) continue;
      const Mount* mount = MountOfPath(mounts_, file);
      if (mount == nullptr) continue;
      if (std::string below = LinkName(roots_.sys / "dev/block" / mount->dev); !below.empty())
        loop_below_[name] = std::move(below);
    }
  }
  void AddPartitions(BlockNode& node) const {
    std::error_code error;
    if (Exists(node.folder / "partition")) {
      const fs::path real = fs::canonical(node.folder, error);
      if (!error) AddOnce(node.below, real.parent_path().filename().string());
      return;
    }
    // Partitions are named after their disk: "sda1", "nvme0n1p1".
    for (const std::string& entry : FolderEntries(node.folder)) {
      if (entry.rfind(node.name, 0) == 0 && Exists(node.folder / entry / "partition")) {
        AddOnce(node.above, entry);
      }
    }
  }
  void AddPaths(BlockNode& node) const {
    if (const std::string head = NvmeHead(node.name); !head.empty()) {
      if (std::binary_search(all_.begin(), all_.end(), head)) AddOnce(node.above, head);
      return;
    }
    if (node.name.rfind("nvme", 0) != 0) return;
    for (const std::string& name : all_) {
      if (NvmeHead(name) == node.name) AddOnce(node.below, name);
    }
  }
  void AddLoops(BlockNode& node) const {
    for (const auto& [loop, below] : loop_below_) {
      if (loop == node.name) AddOnce(node.below, below);
      if (below == node.name) AddOnce(node.above, loop);
    }
  }

  const KernelRoots& roots_;
  const MountList& mounts_;
  std::vector<std::string> all_;
  std::map<std::string, std::string> loop_below_;
};

class Walk {
 public:
  Walk(const Finder& finder, size_t max_devices, BlockStack& stack)
      : finder_(finder), max_devices_(max_devices), stack_(stack) {}

  void Add(const std::string& name, const std::string& relation) {
    if (!seen_.insert(name).second) return;
    if (stack_.nodes.size() >= max_devices_) {
      stack_.left_out.push_back(name);
      return;
    }
    BlockNode node = finder_.Read(name);
    node.relation = relation;
    stack_.nodes.push_back(std::move(node));
  }
  // All that is reached from the nodes with relation `from` by going down or up alone.
  void Spread(const std::string& relation, bool down, bool up) {
    for (size_t i = 0; i < stack_.nodes.size(); ++i) {
      const std::string& from = stack_.nodes[i].relation;
      if (relation != "beside" && from != "subject" && from != relation) continue;
      // By value: adding moves the nodes.
      const std::vector<std::string> below = stack_.nodes[i].below;
      const std::vector<std::string> above = stack_.nodes[i].above;
      if (down) {
        for (const std::string& name : below) Add(name, relation);
      }
      if (up) {
        for (const std::string& name : above) Add(name, relation);
      }
    }
  }

 private:
  const Finder& finder_;
  size_t max_devices_;
  BlockStack& stack_;
  std::set<std::string> seen_;
};

}  // namespace

const BlockNode* BlockStack::Find(const std::string& name) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const BlockNode& node) { return node.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

std::string NameOfDevice(const KernelRoots& roots, uint32_t dev) {
  return LinkName(roots.sys / "dev/block" / FormatDev(dev));
}

BlockStack FindBlockStack(const KernelRoots& roots, const MountList& mounts, const std::string& subject,
                          size_t max_devices) {
  BlockStack stack;
  const Finder finder(roots, mounts);
  Walk walk(finder, max_devices, stack);
  if (subject.empty()) {
    for (const std::string& name : finder.all()) {
      if (ParseNumber<uint64_t>(ReadLine(finder.Folder(name) / "size")).value_or(0) > 0) walk.Add(name, "");
    }
    return stack;
  }
  walk.Add(subject, "subject");
  walk.Spread("below", true, false);
  walk.Spread("above", false, true);
  walk.Spread("beside", true, true);
  return stack;
}

}  // namespace ffdc
