// SPDX-License-Identifier: Apache-2.0
#include "detect/machine_messages.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ffdc {
namespace {

using Kind = MachineMessage::Kind;

bool Has(std::string_view text, std::string_view words) { return text.find(words) != std::string_view::npos; }

// "...: 0000 [#1] PREEMPT SMP": what die() of every architecture ends its first line with. "traps: x[1]
// general protection fault" is a process's own.
bool IsOops(std::string_view text) {
  const size_t number = text.find(" [#");
  if (number == std::string_view::npos) return false;
  std::string_view rest = text.substr(number + 3);
  const size_t end = rest.find(']');
  return end != std::string_view::npos && ParseNumber<uint32_t>(rest.substr(0, end)).has_value();
}

std::optional<MachineMessage> ParseKernel(std::string_view text) {
  constexpr std::array<std::string_view, 4> kLockups{"BUG: soft lockup", "BUG: workqueue lockup",
                                                     "detected hard LOCKUP", "Hard LOCKUP"};
  constexpr std::array<std::string_view, 2> kRcuStalls{"self-detected stall on CPU", "detected stalls on"};
  constexpr std::array<std::string_view, 5> kBugs{"BUG: ", "kernel BUG at ", "Oops: ", "Oops - ",
                                                  "Unable to handle kernel "};
  if (text.starts_with("Kernel panic - not syncing")) return MachineMessage{Kind::kKernel, "panic", false};
  if (HasAny(text, kLockups)) return MachineMessage{Kind::kKernel, "lockup", false};
  if (text.starts_with("rcu: INFO: ") && (HasAny(text, kRcuStalls) || Has(text, "detected expedited stalls")))
    return MachineMessage{Kind::kKernel, "rcu_stall", false};
  const bool bug = std::any_of(kBugs.begin(), kBugs.end(),
                               [&](std::string_view start) { return text.starts_with(start); });
  if (bug || IsOops(text)) return MachineMessage{Kind::kKernel, "oops", false};
  return std::nullopt;
}

// drivers/edac/edac_mc.c: "EDAC MC0: 1 CE memory read error on ...".
std::optional<MachineMessage> ParseEdac(std::string_view text) {
  NextWord(text);
  const std::string_view controller = NextWord(text);
  const auto count = ParseNumber<uint32_t>(NextWord(text));
  const std::string_view type = NextWord(text);
  if (!controller.starts_with("MC") || !count || (type != "CE" && type != "UE")) return std::nullopt;
  return MachineMessage{Kind::kHardware, "memory", type == "CE"};
}

// drivers/pci/pcie/aer.c: "pcieport 0000:00:1c.0: AER: Corrected error received: ...",
// "... AER: Multiple Uncorrected (Non-Fatal) error received", "... PCIe Bus Error: severity=Corrected, ...".
std::optional<MachineMessage> ParseAer(std::string_view text) {
  if (Has(text, "PCIe Bus Error: severity="))
    return MachineMessage{Kind::kHardware, "pcie", Has(text, "severity=Correct")};
  if (!Has(text, ": AER: ") || !(Has(text, " error received") || Has(text, " error message received")))
    return std::nullopt;
  return MachineMessage{Kind::kHardware, "pcie",
                        Has(text, "Corrected error") || Has(text, "Correctable error")};
}

std::optional<MachineMessage> ParseHardware(std::string_view text) {
  if (text.starts_with("EDAC ")) return ParseEdac(text);
  if (text.starts_with("Memory failure: 0x")) return MachineMessage{Kind::kHardware, "memory", false};
  if (Has(text, "[Hardware Error]: ")) {
    // What is not said to be corrected is told apart by the machine check's own record.
    constexpr std::array<std::string_view, 6> kBad{"Machine Check Exception", "severity: fatal",
                                                   "severity: recoverable",   "Uncorrected",
                                                   "Deferred error",          "Fatal"};
    return MachineMessage{Kind::kHardware, "cpu", !HasAny(text, kBad)};
  }
  return ParseAer(text);
}

}  // namespace

std::optional<MachineMessage> ParseMachineMessage(std::string_view text) {
  if (auto hardware = ParseHardware(text)) return hardware;
  return ParseKernel(text);
}

}  // namespace ffdc
