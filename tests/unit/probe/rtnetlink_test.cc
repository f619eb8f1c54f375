// SPDX-License-Identifier: Apache-2.0
// Messages made by libnl itself, and the answers of the running kernel.
#include "probe/rtnetlink.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <memory>

namespace ffdc {
namespace {

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using MessagePtr = std::unique_ptr<nl_msg, FreeMessage>;

MessagePtr Begin(int type) {
  MessagePtr message(nlmsg_alloc_simple(type, 0));
  nlmsg_set_proto(message.get(), NETLINK_ROUTE);
  return message;
}

MessagePtr Link(int type, unsigned flags, unsigned char family = AF_UNSPEC) {
  MessagePtr message = Begin(type);
  ifinfomsg info{};
  info.ifi_family = family;
  info.ifi_index = 7;
  info.ifi_flags = flags;
  nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO);
  nla_put_string(message.get(), IFLA_IFNAME, "eth7");
  nla_put_u32(message.get(), IFLA_CARRIER_CHANGES, 12);
  return message;
}

MessagePtr Neighbour(uint16_t state, const std::string& address, int type = RTM_NEWNEIGH) {
  MessagePtr message = Begin(type);
  const auto ip = ParseIpAddress(address);
  ndmsg info{};
  info.ndm_family = static_cast<unsigned char>(ip->family);
  info.ndm_ifindex = 7;
  info.ndm_state = state;
  nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO);
  nla_put(message.get(), NDA_DST, ip->family == AF_INET ? 4 : 16, ip->bytes.data());
  return message;
}

TEST(LinkNewsTest, CarrierAndAdminState) {
  const auto up = ParseLinkNews(Link(RTM_NEWLINK, IFF_UP | IFF_RUNNING).get());
  ASSERT_TRUE(up);
  EXPECT_EQ(up->index, 7);
  EXPECT_EQ(up->name, "eth7");
  EXPECT_TRUE(up->admin_up && up->running && !up->removed);
  EXPECT_EQ(up->carrier_changes, 12u);
  const auto no_carrier = ParseLinkNews(Link(RTM_NEWLINK, IFF_UP).get());
  EXPECT_TRUE(no_carrier->admin_up && !no_carrier->running);
  EXPECT_FALSE(ParseLinkNews(Link(RTM_NEWLINK, 0).get())->admin_up);
  EXPECT_TRUE(ParseLinkNews(Link(RTM_DELLINK, IFF_UP).get())->removed);
}

// A port that leaves its bridge is told of as a removed link.
TEST(LinkNewsTest, WhatABridgeSaysOfItsPortsIsNoNewsOfThePort) {
  EXPECT_FALSE(ParseLinkNews(Link(RTM_DELLINK, IFF_UP, AF_BRIDGE).get()));
}

TEST(LinkNewsTest, ACutMessageIsNone) {
  const MessagePtr message = Begin(RTM_NEWLINK);
  EXPECT_FALSE(ParseLinkNews(message.get()));
}

TEST(NeighbourNewsTest, FailsOrAnswers) {
  const auto failed = ParseNeighbourNews(Neighbour(NUD_FAILED, "10.0.0.1").get());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->index, 7);
  EXPECT_EQ(failed->address.Text(), "10.0.0.1");
  EXPECT_TRUE(failed->failed && !failed->answers);
  const auto answers = ParseNeighbourNews(Neighbour(NUD_REACHABLE, "fd00::1").get());
  ASSERT_TRUE(answers);
  EXPECT_EQ(answers->address.Text(), "fd00::1");
  EXPECT_TRUE(answers->answers && !answers->failed);
  for (const uint16_t undecided : {NUD_INCOMPLETE, NUD_DELAY, NUD_PROBE})
    EXPECT_FALSE(ParseNeighbourNews(Neighbour(undecided, "10.0.0.1").get())) << undecided;
  const auto removed = ParseNeighbourNews(Neighbour(NUD_FAILED, "10.0.0.1", RTM_DELNEIGH).get());
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->removed && !removed->failed && !removed->answers);
}

TEST(RouteNetlinkTest, TheKernelAnswersAtOnce) {
  auto netlink = RouteNetlink::Open({[](const LinkNews&) {}, [](const NeighbourNews&) {}, [] {}, [] {}});
  ASSERT_TRUE(netlink) << netlink.error().message;
  for (int i = 0; i < 3; ++i) {  // the answers do not get out of step
    EXPECT_EQ((*netlink)->RouteTo(*ParseIpAddress("127.0.0.1")).kind, RouteAnswer::Kind::kLocal);
    EXPECT_EQ((*netlink)->RouteTo(*ParseIpAddress("0.0.0.0")).kind, RouteAnswer::Kind::kLocal);
    const RouteAnswer never = (*netlink)->RouteTo(*ParseIpAddress("240.0.0.1"));
    EXPECT_NE(never.kind, RouteAnswer::Kind::kUnknown);
  }
  (*netlink)->Consume();  // nothing there, and no waiting for it
}

}  // namespace
}  // namespace ffdc
