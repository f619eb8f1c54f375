// SPDX-License-Identifier: Apache-2.0
// The kernel's news of links, neighbours and routes, and its answer to where packets to an
// address go (libnl). Never blocks: news are read as they come, and RTM_GETROUTE, which
// takes no rtnl lock, is answered before the question's sendmsg() returns. What would wait
// for that lock (a dump, "carrier" in sysfs) is not used: a driver that hangs may hold it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/endpoint.h"
#include "base/result.h"

struct nl_msg;

namespace ffdc {

struct LinkNews {
  int index = 0;
  std::string name;
  bool removed = false;
  bool admin_up = false;
  bool running = false;  // set up, and has a carrier (RFC 2863: up or unknown)
  uint32_t carrier_changes = 0;
};

struct NeighbourNews {
  int index = 0;
  IpAddress address;
  bool failed = false;  // does not answer
  bool answers = false;
  bool removed = false;  // `ip neighbour flush`: the kernel says before that it failed
};

struct RouteAnswer {
  enum class Kind { kUnknown, kNone, kLocal, kRemote };
  Kind kind = Kind::kUnknown;
  int index = 0;      // outgoing interface
  IpAddress gateway;  // family 0: on the link itself
};

// nullopt: no news of this kind.
std::optional<LinkNews> ParseLinkNews(nl_msg* message);
std::optional<NeighbourNews> ParseNeighbourNews(nl_msg* message);

class RouteNetlink {
 public:
  struct Sinks {
    std::function<void(const LinkNews&)> link;
    std::function<void(const NeighbourNews&)> neighbour;
    std::function<void()> route;  // some route changed
    std::function<void()> lost;   // the socket overflowed
  };
  // Of the network namespace of the calling thread.
  static Result<std::unique_ptr<RouteNetlink>> Open(Sinks sinks);
  virtual ~RouteNetlink() = default;
  [[nodiscard]] virtual int poll_fd() const = 0;
  virtual void Consume() = 0;
  virtual RouteAnswer RouteTo(const IpAddress& address) = 0;
};

}  // namespace ffdc
