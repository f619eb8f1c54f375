// SPDX-License-Identifier: Apache-2.0
#include "detect/kernel_timeouts.h"

#include <algorithm>

#include "base/text.h"

namespace ffdc {
namespace {

bool IsName(std::string_view name) {
  constexpr size_t kMaxNameBytes = 31;  // DISK_NAME_LEN
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// drivers/nvme/host/{pci,tcp,rdma,fc}.c. Commands of the admin queue (QID 0) are not I/O.
//   I/O 12 QID 3 timeout, aborting                                     (to 6.6)
//   I/O tag 12 (100c) opcode 0x2 (Read) QID 3 timeout, reset controller
//   queue 1: timeout request 0x2 type 4                                (TCP, to 6.6)
bool IsNvmeTimeout(std::string_view text) {
  if (text.starts_with("I/O "))
    return Contains(text, " QID ") && Contains(text, " timeout") && !Contains(text, " QID 0 ");
  return text.starts_with("queue ") && !text.starts_with("queue 0:") && Contains(text, ": timeout request ");
}

}  // namespace

std::optional<KernelTimeout> ParseKernelTimeout(std::string_view message) {
  std::string_view rest = message;
  const std::string_view driver = NextWord(rest);
  rest = Trim(rest);
  const size_t colon = rest.find(": ");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view device = rest.substr(0, colon);
  const std::string_view text = Trim(rest.substr(colon + 2));
  if (!IsName(device)) return std::nullopt;
  if (driver == "nvme" && IsNvmeTimeout(text))
    return KernelTimeout{std::string(device), true, std::string(text)};
  // drivers/block/nbd.c, nbd_xmit_timeout(): without a timeout of its own it never gives up.
  if (driver == "block" && text.starts_with("Possible stuck request "))
    return KernelTimeout{std::string(device), false, std::string(text)};
  return std::nullopt;
}

}  // namespace ffdc
