// SPDX-License-Identifier: Apache-2.0
// The peer service (gRPC, TLS). Calls come in on gRPC's threads and go to a
// PeerDispatch. Every call but Join needs a member's certificate; one that is shown must be good.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "peer/dispatch.h"
#include "peer/link.h"
#include "peer/tls.h"

namespace ffdc {

struct PeerServerOptions {
  std::string listen;  // "10.0.0.1:7420", "[::]:7420"
  TlsIdentity tls;
};

class PeerServer {
 public:
  // linked: a member has opened its link. On the loop's thread.
  using Linked = std::function<void(std::shared_ptr<PeerLink> link)>;
  static Result<std::unique_ptr<PeerServer>> Start(const PeerServerOptions& options, EventLoop& loop,
                                                   std::shared_ptr<PeerDispatch> dispatch, Linked linked);
  virtual ~PeerServer() = default;  // ends open calls and links

  // Who may call. Links of others are closed. Loop thread.
  virtual void SetMembers(std::set<std::string> nodes) = 0;
};

}  // namespace ffdc
