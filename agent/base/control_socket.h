// SPDX-License-Identifier: Apache-2.0
// What ffdcd and ffdcctl agree on about the socket of the management interface.
#pragma once

#include <sys/un.h>

#include <cstddef>
#include <optional>
#include <string>

namespace ffdc {

inline constexpr int kMaxControlReplyBytes = 64 << 20;  // of one message
inline constexpr size_t kMaxSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;

// nullopt: a socket's path has 1 to kMaxSocketPathBytes bytes.
std::optional<sockaddr_un> SocketAddress(const std::string& path);

}  // namespace ffdc
