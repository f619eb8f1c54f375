// SPDX-License-Identifier: Apache-2.0
// One record of the kernel's log as /dev/kmsg gives it, one a read
// (Documentation/ABI/testing/dev-kmsg).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

// The kernel formats a record into at most PRINTK_MESSAGE_MAX (8 KiB before 6.x: CONSOLE_EXT_LOG_MAX).
inline constexpr size_t kMaxKmsgBytes = 32u << 10;

struct KmsgRecord {
  uint32_t priority = 0;  // facility << 3 | level
  uint64_t sequence = 0;
  uint64_t time_us = 0;
  std::string text;        // escapes undone, valid UTF-8; a newline in it starts an indented line
  std::string properties;  // "SUBSYSTEM=block DEVICE=b8:0", "caller=T12"; empty: none
};

// Nothing: no record. The bytes are the kernel's, some of them a process's (writes to /dev/kmsg).
std::optional<KmsgRecord> ParseKmsg(std::string_view bytes);

}  // namespace ffdc
