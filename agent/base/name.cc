// SPDX-License-Identifier: Apache-2.0
#include "base/name.h"

#include <unistd.h>

#include <array>

namespace ffdc {

std::string HostNodeName() {
  constexpr size_t kMaxBytes = 64;
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0) return "localhost";
  std::string name = std::string(buffer.data()).substr(0, kMaxBytes);
  for (char& c : name) {
    if (!IsNameCharacter(c)) c = '-';
  }
  return IsNodeName(name) ? name : "localhost";
}

}  // namespace ffdc
