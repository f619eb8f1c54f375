// SPDX-License-Identifier: Apache-2.0
#include "base/control_socket.h"

#include <sys/socket.h>

#include <cstring>

namespace ffdc {

std::optional<sockaddr_un> SocketAddress(const std::string& path) {
  if (path.empty() || path.size() > kMaxSocketPathBytes) return std::nullopt;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace ffdc
