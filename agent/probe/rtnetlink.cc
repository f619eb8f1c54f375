// SPDX-License-Identifier: Apache-2.0
#include "probe/rtnetlink.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

namespace ffdc {
namespace {

constexpr int kBufferBytes = 4 << 20;
constexpr int kMaxAtOnce = 256;  // then the event loop's other sources get their turn

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using SocketPtr = std::unique_ptr<nl_sock, FreeSocket>;

struct PutObject {
  void operator()(nl_object* object) const { nl_object_put(object); }
  void operator()(rtnl_route* route) const { rtnl_route_put(route); }
};
using NlObjectPtr = std::unique_ptr<nl_object, PutObject>;
using RoutePtr = std::unique_ptr<rtnl_route, PutObject>;

struct PutAddress {
  void operator()(nl_addr* address) const { nl_addr_put(address); }
};
using AddressPtr = std::unique_ptr<nl_addr, PutAddress>;

NlObjectPtr ParseObject(nl_msg* message) {
  NlObjectPtr object;
  const auto keep = [](nl_object* parsed, void* to) {
    nl_object_get(parsed);
    static_cast<NlObjectPtr*>(to)->reset(parsed);
  };
  nl_msg_parse(message, keep, &object);
  return object;
}

IpAddress ToIp(const nl_addr* address) {
  IpAddress ip;
  if (address == nullptr) return ip;
  const int family = nl_addr_get_family(address);
  const size_t size = nl_addr_get_len(address);
  if ((family == AF_INET && size == sizeof(in_addr)) || (family == AF_INET6 && size == sizeof(in6_addr))) {
    ip.family = static_cast<uint16_t>(family);
    std::memcpy(ip.bytes.data(), nl_addr_get_binary_addr(address), size);
  }
  return ip;
}

class Netlink final : public RouteNetlink {
 public:
  explicit Netlink(Sinks sinks) : sinks_(std::move(sinks)) {}

  Result<> Connect() {
    FFDC_TRY(Connect(questions_));
    FFDC_TRY(Connect(news_));
    nl_socket_disable_seq_check(news_.get());
    nl_socket_modify_cb(news_.get(), NL_CB_VALID, NL_CB_CUSTOM, OnMessage, this);
    // Best effort: without CAP_NET_ADMIN the kernel's default stays.
    const int fd = nl_socket_get_fd(news_.get());
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    const int error = nl_socket_add_memberships(news_.get(), RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE,
                                                RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0);
    if (error < 0) return Fail(std::string("cannot join the groups of rtnetlink: ") + nl_geterror(error));
    return {};
  }

  [[nodiscard]] int poll_fd() const override { return nl_socket_get_fd(news_.get()); }

  void Consume() override {
    for (int i = 0; i < kMaxAtOnce; ++i) {
      const int error = nl_recvmsgs_default(news_.get());
      if (error == -NLE_NOMEM) sinks_.lost();  // ENOBUFS
      if (error == -NLE_AGAIN) return;
    }
  }

  RouteAnswer RouteTo(const IpAddress& address) override {
    const size_t size = address.family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    const AddressPtr to(nl_addr_build(address.family, address.bytes.data(), size));
    rtnl_route* found = nullptr;
    const int error = to ? rtnl_route_lookup(questions_.get(), to.get(), &found) : -NLE_NOMEM;
    const RoutePtr route(found);
    if (error < 0 || !route) {
      switch (-error) {  // what is the socket's own trouble, not the kernel's answer
        case 0:
        case NLE_NOMEM:
        case NLE_AGAIN:
        case NLE_INTR:
        case NLE_SEQ_MISMATCH:
        case NLE_BAD_SOCK:
          questions_.reset();
          (void)Connect(questions_);
          return {};
        default:
          return {RouteAnswer::Kind::kNone, 0, {}};
      }
    }
    const uint8_t type = rtnl_route_get_type(route.get());
    if (type == RTN_LOCAL) return {RouteAnswer::Kind::kLocal, 0, {}};
    rtnl_nexthop* hop = rtnl_route_nexthop_n(route.get(), 0);
    // IPv6 answers with a route of type "unreachable" where it has none.
    if (type != RTN_UNICAST || hop == nullptr) return {RouteAnswer::Kind::kNone, 0, {}};
    const nl_addr* gateway = rtnl_route_nh_get_gateway(hop);
    if (gateway == nullptr) gateway = rtnl_route_nh_get_via(hop);
    return {RouteAnswer::Kind::kRemote, rtnl_route_nh_get_ifindex(hop), ToIp(gateway)};
  }

 private:
  static Result<> Connect(SocketPtr& socket) {
    socket.reset(nl_socket_alloc());
    const int error = socket ? nl_connect(socket.get(), NETLINK_ROUTE) : -NLE_NOMEM;
    if (error < 0) return Fail(std::string("cannot open a rtnetlink socket: ") + nl_geterror(error));
    nl_socket_set_nonblocking(socket.get());
    nl_socket_enable_msg_peek(socket.get());  // a link with many virtual functions exceeds a page
    return {};
  }

  static int OnMessage(nl_msg* message, void* self) {
    const Sinks& sinks = static_cast<Netlink*>(self)->sinks_;
    switch (nlmsg_hdr(message)->nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        if (const auto news = ParseLinkNews(message)) sinks.link(*news);
        break;
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH:
        if (const auto news = ParseNeighbourNews(message)) sinks.neighbour(*news);
        break;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
      case RTM_NEWRULE:
      case RTM_DELRULE:
        sinks.route();
        break;
      default:
        break;
    }
    return NL_OK;
  }

  const Sinks sinks_;
  SocketPtr news_;
  SocketPtr questions_;
};

}  // namespace

std::optional<LinkNews> ParseLinkNews(nl_msg* message) {
  const nlmsghdr* header = nlmsg_hdr(message);
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
  // A bridge tells of its ports in the same words: DELLINK means there that a port left it.
  if (nlmsg_datalen(header) < static_cast<int>(sizeof *info) || info->ifi_family == AF_BRIDGE)
    return std::nullopt;
  const NlObjectPtr object = ParseObject(message);
  if (!object) return std::nullopt;
  auto* link = reinterpret_cast<rtnl_link*>(object.get());
  const char* name = rtnl_link_get_name(link);
  if (name == nullptr) return std::nullopt;
  LinkNews news;
  news.index = rtnl_link_get_ifindex(link);
  news.name = name;
  news.removed = header->nlmsg_type == RTM_DELLINK;
  const unsigned flags = rtnl_link_get_flags(link);
  news.admin_up = (flags & IFF_UP) != 0;
  news.running = news.admin_up && (flags & IFF_RUNNING) != 0;
  rtnl_link_get_carrier_changes(link, &news.carrier_changes);
  return news;
}

std::optional<NeighbourNews> ParseNeighbourNews(nl_msg* message) {
  const NlObjectPtr object = ParseObject(message);
  if (!object) return std::nullopt;
  auto* neighbour = reinterpret_cast<rtnl_neigh*>(object.get());
  NeighbourNews news;
  news.index = rtnl_neigh_get_ifindex(neighbour);
  news.address = ToIp(rtnl_neigh_get_dst(neighbour));
  news.removed = nlmsg_hdr(message)->nlmsg_type == RTM_DELNEIGH;
  if (news.removed && news.address.family != 0) return news;
  const int state = rtnl_neigh_get_state(neighbour);
  news.failed = (state & NUD_FAILED) != 0;
  // Stale: it spoke to us.
  news.answers = (state & (NUD_REACHABLE | NUD_STALE | NUD_PERMANENT | NUD_NOARP)) != 0;
  if (news.address.family == 0 || (!news.failed && !news.answers)) return std::nullopt;
  return news;
}

Result<std::unique_ptr<RouteNetlink>> RouteNetlink::Open(Sinks sinks) {
  auto netlink = std::make_unique<Netlink>(std::move(sinks));
  FFDC_TRY(netlink->Connect());
  return netlink;
}

}  // namespace ffdc
