// SPDX-License-Identifier: Apache-2.0
// A block device with all that it stands on and all that stands on it, by sysfs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/mountinfo.h"
#include "capture/collect_util.h"

namespace ffdc {

struct BlockNode {
  std::string name;  // kernel name: "sda1"
  std::filesystem::path folder;
  std::string dev;       // "8:1"
  std::string relation;  // to the subject: "subject", "below", "above", "beside"; empty: there is no subject
  std::vector<std::string> below;  // names, nearest only
  std::vector<std::string> above;
};

struct BlockStack {
  std::vector<BlockNode> nodes;  // what matters most first
  std::vector<std::string> left_out;
  [[nodiscard]] const BlockNode* Find(const std::string& name) const;
};

// "sda", as sysfs calls the device now; empty: it is gone.
std::string NameOfDevice(const KernelRoots& roots, uint32_t dev);

// The stack around one device; with an empty name every device that has a size.
BlockStack FindBlockStack(const KernelRoots& roots, const MountList& mounts, const std::string& subject,
                          size_t max_devices = 512);

// "scsi", "nvme", "part", "dm lvm", "md raid1", "loop", ...
std::string BlockType(const BlockNode& node);

// device-stack.txt: the stack as a tree that a person reads.
std::string FormatBlockTree(const KernelRoots& roots, const BlockStack& stack, const MountList& mounts);

Result<> CollectBlockState(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
