// SPDX-License-Identifier: Apache-2.0
// I/O timeouts that only the kernel's log tells of: NVMe, and drivers of which no
// tracepoint speaks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

struct KernelTimeout {
  std::string device;       // "nvme0", "nbd0"
  bool controller = false;  // of an NVMe controller, not of a disk
  std::string what;         // "I/O tag 12 (000c) QID 3 timeout, reset controller": the kernel's words
};

// nullopt: the message is about something else.
std::optional<KernelTimeout> ParseKernelTimeout(std::string_view message);

}  // namespace ffdc
