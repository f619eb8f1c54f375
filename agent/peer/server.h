// SPDX-License-Identifier: Apache-2.0
// The peer service (gRPC, TLS). Calls come in on gRPC's threads, are checked
// there, and go to the loop's thread, at most kMaxWaitingCalls at a time; more are
// refused and counted. Pings are answered at once, for their timestamps. Every
// call but Join needs a member's certificate; one that is shown must be good.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "peer/peer_service.h"
#include "peer/tls.h"

namespace ffdc {

inline constexpr size_t kMaxWaitingCalls = 256;

struct PeerServerOptions {
  std::string listen;  // "10.0.0.1:7420", "[::]:7420"
  std::string cluster;
  std::string version;
  TlsIdentity tls;
};

struct PeerServerCounts {
  uint64_t refused = 0;     // calls by nodes that are no members, or that make no sense
  uint64_t overloaded = 0;  // more than may wait
  uint64_t joins = 0;       // of those refused: calls of Join
};

class PeerServer {
 public:
  // refused is called on gRPC's threads.
  static Result<std::unique_ptr<PeerServer>> Start(const PeerServerOptions& options, EventLoop& loop,
                                                   PeerHandlers handlers, PeerRefused refused);
  virtual ~PeerServer() = default;  // ends open calls

  // Who may call. Loop thread.
  virtual void SetMembers(std::set<std::string> nodes) = 0;
  // What pings are told: whether this node reaches the store, and which one it is.
  virtual void SetStore(bool reachable, const std::string& store_id) = 0;
  [[nodiscard]] virtual PeerServerCounts counts() const = 0;
};

}  // namespace ffdc
