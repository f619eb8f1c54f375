// SPDX-License-Identifier: Apache-2.0
// device-stack.txt.
#include <algorithm>
#include <set>

#include "base/fs.h"
#include "base/text.h"
#include "base/utf8.h"
#include "capture/block_stack.h"
#include "capture/text.h"

namespace ffdc {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 16;

std::string DmKind(const std::string& uuid) {
  if (uuid.rfind("LVM-", 0) == 0) return "lvm";
  if (uuid.rfind("mpath-", 0) == 0) return "multipath";
  if (uuid.rfind("CRYPT-", 0) == 0) return "crypt";
  if (uuid.rfind("part", 0) == 0) return "part";
  return {};
}

std::string FirstOf(const fs::path& folder, std::initializer_list<const char*> attributes) {
  for (const char* attribute : attributes) {
    if (std::string value = ReadLine(folder / attribute); !value.empty()) return value;
  }
  return {};
}

// What the device is called everywhere, and what kind of thing it is.
std::string Identity(const BlockNode& node) {
  std::string text;
  const auto add = [&](const char* word, const std::string& value) {
    if (value.empty()) return;
    if (!text.empty()) text += ", ";
    text += std::string(word) + PlainText(value);
  };
  add("", ReadLine(node.folder / "dm/name"));
  add("uuid ", FirstOf(node.folder, {"dm/uuid", "md/uuid"}));
  add("wwid ", FirstOf(node.folder, {"wwid", "device/wwid"}));
  add("serial ", FirstOf(node.folder, {"serial", "device/serial"}));
  add("model ", ReadLine(node.folder / "device/model"));
  add("file ", ReadLine(node.folder / "loop/backing_file"));
  return text;
}

std::string State(const BlockNode& node) {
  if (node.dev.empty() && ReadLine(node.folder / "size").empty()) return "GONE";
  std::string state = FirstOf(node.folder, {"device/state", "md/array_state"});
  if (ReadLine(node.folder / "dm/suspended") == "1") state = "SUSPENDED";
  if (ReadLine(node.folder / "ro") == "1") state += state.empty() ? "read-only" : ",read-only";
  return state.empty() ? "-" : PlainText(state);
}

class Tree {
 public:
  Tree(const KernelRoots& roots, const BlockStack& stack, const MountList& mounts)
      : stack_(stack), mounts_(mounts) {
    ReadSwaps(roots);
  }

  std::string Format() {
    text_ = Column("NAME", 26) + Column("TYPE", 12) + Column("SIZE", 11) + Column("STATE", 12) +
            "IDENTITY | USED AS\n";
    for (const BlockNode& node : stack_.nodes) {
      const bool root = std::none_of(node.below.begin(), node.below.end(),
                                     [&](const std::string& name) { return stack_.Find(name) != nullptr; });
      if (root) Add(node, "", "", 0);
    }
    return std::move(text_);
  }

 private:
  void ReadSwaps(const KernelRoots& roots) {
    auto swaps = ReadFile(roots.proc / "swaps");
    if (!swaps) return;  // a kernel without swap has no such file
    std::string_view rest = *swaps;
    NextLine(rest);
    while (!rest.empty()) {
      std::string_view line = NextLine(rest);
      swaps_.insert(fs::path(NextWord(line)).filename().string());
    }
  }

  [[nodiscard]] std::string UsedAs(const BlockNode& node) const {
    const std::string dm_name = ReadLine(node.folder / "dm/name");
    std::string used;
    for (const Mount& mount : mounts_.mounts) {
      // btrfs and the like have a device number of their own, but name their source.
      const bool here = mount.dev == node.dev || mount.source == "/dev/" + node.name ||
                        (!dm_name.empty() && mount.source == "/dev/mapper/" + dm_name);
      if (!here) continue;
      if (!used.empty()) used += ", ";
      used += PlainText(mount.point) + " (" + PlainText(mount.type) + " " +
              mount.options.substr(0, mount.options.find(',')) + ")";
    }
    if (swaps_.count(node.name) > 0) used += used.empty() ? "swap" : ", swap";
    return used;
  }

  void Add(const BlockNode& node, const std::string& indent, const std::string& branch, int depth) {
    const bool again = !done_.insert(node.name).second;
    const auto sectors = ParseNumber<uint64_t>(ReadLine(node.folder / "size"));
    text_ += Column(indent + branch + PlainText(node.name), 26) + Column(PlainText(BlockType(node)), 12) +
             Column(sectors ? HumanBytes(*sectors * 512) : "?", 11) + Column(State(node), 12) +
             Identity(node);
    if (const std::string used = UsedAs(node); !used.empty()) text_ += " | " + used;
    if (node.relation == "subject") text_ += "  <== THE SUBJECT";
    if (again && !node.above.empty()) text_ += "  (what stands on it: see above)";
    text_ += '\n';
    if (again || depth >= kMaxDepth) return;

    std::vector<const BlockNode*> children;
    for (const std::string& name : node.above) {
      if (const BlockNode* child = stack_.Find(name)) children.push_back(child);
    }
    const std::string deeper = branch.empty() ? "" : indent + (branch == "└─" ? "  " : "│ ");
    for (const BlockNode* child : children) {
      Add(*child, deeper, child == children.back() ? "└─" : "├─", depth + 1);
    }
  }

  const BlockStack& stack_;
  const MountList& mounts_;
  std::set<std::string> swaps_;
  std::set<std::string> done_;
  std::string text_;
};

}  // namespace

std::string BlockType(const BlockNode& node) {
  if (!ReadLine(node.folder / "partition").empty()) return "part";
  if (const std::string uuid = ReadLine(node.folder / "dm/uuid");
      !uuid.empty() || node.name.rfind("dm-", 0) == 0) {
    const std::string kind = DmKind(uuid);
    return kind.empty() ? "dm" : "dm " + kind;
  }
  if (const std::string level = ReadLine(node.folder / "md/level"); !level.empty()) return "md " + level;
  if (std::string subsystem = LinkName(node.folder / "device/subsystem"); !subsystem.empty())
    return subsystem;
  // Without a device behind it: "loop7", "zram0", "nbd1" say it themselves.
  return node.name.substr(0, node.name.find_first_of("0123456789"));
}

std::string FormatBlockTree(const KernelRoots& roots, const BlockStack& stack, const MountList& mounts) {
  return Tree(roots, stack, mounts).Format();
}

}  // namespace ffdc
