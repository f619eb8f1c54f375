// SPDX-License-Identifier: Apache-2.0
// What ext4, XFS and btrfs write to the kernel's log about errors of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

struct FsMessage {
  std::string device;      // the kernel's name, "dm-0", "sda1"
  std::string type;        // "ext4", "xfs", "btrfs"; empty: the journal (jbd2) of either
  std::string detail;      // the message without its prefix
  bool read_only = false;  // it was made read-only, or shut down
};

// Nothing: no error of a filesystem. `text` is a message of the kernel itself.
std::optional<FsMessage> ParseFsMessage(std::string_view text);

}  // namespace ffdc
