// SPDX-License-Identifier: Apache-2.0
// Names of nodes and clusters: they become keys, folders and parts of messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace ffdc {

inline bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

// 1 to 64 letters, digits, '.', '_' or '-', the first not a '.'.
inline bool IsNodeName(std::string_view name) {
  constexpr size_t kMaxBytes = 64;
  return !name.empty() && name.size() <= kMaxBytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

// The host's name, made to fit: what a node is called that has no name in its configuration.
std::string HostNodeName();

}  // namespace ffdc
