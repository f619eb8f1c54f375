// SPDX-License-Identifier: Apache-2.0
// What the kernel's log says of failures of the kernel itself and of the hardware.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

struct MachineMessage {
  enum class Kind { kKernel, kHardware };
  Kind kind = Kind::kKernel;
  std::string what;  // kernel: "panic", "oops", "lockup", "rcu_stall"; hardware: "memory", "pcie", "cpu"
  bool corrected = false;  // hardware: nothing was lost
};

// Nothing: neither. `text` is a message of the kernel itself.
std::optional<MachineMessage> ParseMachineMessage(std::string_view text);

}  // namespace ffdc
