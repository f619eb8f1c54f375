// SPDX-License-Identifier: Apache-2.0
// The collectors of the node's own state, with their roots as a parameter.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capture/collect_util.h"

namespace ffdc {

Result<> CollectMounts(CollectContext& context, const KernelRoots& roots);
Result<> CollectNetwork(CollectContext& context, const KernelRoots& roots);
Result<> CollectSystem(CollectContext& context, const KernelRoots& roots);

// One line of /proc/net/{tcp,tcp6,udp,udp6}.
struct InetSocket {
  std::string local;  // "10.0.0.1:22", "[::1]:80"
  std::string remote;
  uint32_t state = 0;
  uint64_t send_queue_bytes = 0;
  uint64_t receive_queue_bytes = 0;  // of a listening socket: connections not yet accepted
  uint32_t timer = 0;                // 0 none, 1 retransmit, 2 keepalive, 3 time wait, 4 zero window probe
  uint64_t timer_ticks = 0;
  uint64_t retransmits = 0;
  uint64_t uid = 0;
  uint64_t inode = 0;
};
std::optional<InetSocket> ParseInetSocket(std::string_view line);
// One line of sockets.txt. protocol: "tcp", "tcp6", "udp", "udp6".
std::string FormatInetSocket(std::string_view protocol, const InetSocket& socket);

}  // namespace ffdc
