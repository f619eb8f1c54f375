// SPDX-License-Identifier: Apache-2.0
#include "probe/link_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LinkTrackerTest : public ::testing::Test {
 protected:
  LinkTrackerTest()
      : tree_(dir_.path()),
        tracker_({tree_.sysfs(), "n1", [this](const IpAddress& to) { return Route(to.Text()); },
                  [this](int index) { return names_[index]; }, [this] { return ++now_; }},
                 [this](const LinkState& state) { told_.push_back(state); }) {
    SetLink("eth0", 2);
    routes_["10.0.0.1"] = {RouteAnswer::Kind::kRemote, 2, {}};
  }

  void SetLink(const std::string& name, int index, const std::string& state = "up", bool admin = true) {
    names_[index] = name;
    const std::string folder = "sys/class/net/" + name;
    tree_.Write(folder + "/ifindex", std::to_string(index) + "\n");
    tree_.Write(folder + "/flags", admin ? "0x1003\n" : "0x1002\n");
    tree_.Write(folder + "/operstate", state + "\n");
    tree_.Write(folder + "/carrier_changes", "1\n");
  }
  void Below(const std::string& upper, const std::string& lower) {
    tree_.Write("sys/class/net/" + upper + "/lower_" + lower, "");
  }
  RouteAnswer Route(const std::string& to) {
    const auto found = routes_.find(to);
    return found == routes_.end() ? RouteAnswer{RouteAnswer::Kind::kNone, 0, {}} : found->second;
  }
  static LinkNews News(const std::string& name, int index, bool running, bool admin = true) {
    return {index, name, false, admin, running, 0};
  }
  void Watch(const std::vector<std::string>& endpoints = {"10.0.0.1:4420"}) {
    std::vector<Endpoint> list;
    for (const std::string& text : endpoints) {
      list.push_back(*ParseEndpoint(text));
      list.back().related_ids = {"mount:/srv"};
    }
    tracker_.SetEndpoints(list);
  }
  static Endpoint Peer(const std::string& text) {
    Endpoint peer = *ParseEndpoint(text);
    peer.related_ids = {"node:b"};
    peer.role = EndpointRole::kPeer;
    return peer;
  }

  TempDir dir_;
  fakes::SysfsTree tree_;
  std::map<int, std::string> names_;
  std::map<std::string, RouteAnswer> routes_;
  uint64_t now_ = 100;
  std::vector<LinkState> told_;
  LinkTracker tracker_;
};

TEST_F(LinkTrackerTest, CarrierLostAndBack) {
  Watch();
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_TRUE(tracker_.OnLink(News("eth0", 2, false)));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_FALSE(told_[0].up);
  EXPECT_EQ(told_[0].interface, "eth0");
  EXPECT_EQ(told_[0].what, "carrier");
  EXPECT_THAT(told_[0].endpoints, ElementsAre("10.0.0.1:4420"));
  EXPECT_THAT(told_[0].related_ids, ElementsAre("endpoint:10.0.0.1:4420", "mount:/srv"));
  tracker_.OnLink(News("eth0", 2, false));
  EXPECT_EQ(told_.size(), 1u);
  tracker_.OnLink(News("eth0", 2, true));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[1].up);
  EXPECT_THAT(told_[1].endpoints, ElementsAre("10.0.0.1:4420"));
}

TEST_F(LinkTrackerTest, OthersAreNotHeard) {
  Watch();
  EXPECT_FALSE(tracker_.OnLink(News("eth1", 3, false)));
  tracker_.OnNeighbour({3, *ParseIpAddress("10.0.0.1"), true, false});
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.99"), true, false});
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LinkTrackerTest, NoEndpointsNoNews) {
  Watch({});
  EXPECT_FALSE(tracker_.OnLink(News("eth0", 2, false)));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LinkTrackerTest, WhatTheSocketLostIsFoundInSysfs) {
  Watch();
  SetLink("eth0", 2, "down");
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "carrier");
}

TEST_F(LinkTrackerTest, ABlinkShowsInTheCountOfCarrierChanges) {
  Watch();
  LinkNews news = News("eth0", 2, true);
  news.carrier_changes = 3;
  tracker_.OnLink(news);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_FALSE(told_[0].up);
  EXPECT_TRUE(told_[1].up);
  tracker_.OnLink(news);
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(LinkTrackerTest, SetDownThenWithoutACable) {
  Watch();
  tracker_.OnLink(News("eth0", 2, false, false));
  tracker_.OnLink(News("eth0", 2, false, true));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].what, "admin");
  EXPECT_EQ(told_[1].what, "carrier");
  tracker_.OnLink(News("eth0", 2, true));
  EXPECT_TRUE(told_.back().up);
}

TEST_F(LinkTrackerTest, RemovedAndMadeAnew) {
  Watch();
  LinkNews news = News("eth0", 2, false);
  news.removed = true;
  tracker_.OnLink(news);
  std::filesystem::remove_all(tree_.sysfs() / "class/net/eth0");
  routes_.clear();
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].what, "removed");
  EXPECT_EQ(told_[1].what, "route");
  SetLink("eth0", 9);
  routes_["10.0.0.1"] = {RouteAnswer::Kind::kRemote, 9, {}};
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 4u);
  EXPECT_TRUE(told_[2].up && told_[3].up);
}

TEST_F(LinkTrackerTest, OneSlaveOfABond) {
  SetLink("bond0", 5);
  Below("bond0", "eth0");
  Below("bond0", "eth1");
  SetLink("eth1", 3);
  routes_["10.0.0.1"].index = 5;
  Watch();
  tracker_.OnLink(News("eth1", 3, false));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "slave");
  EXPECT_EQ(told_[0].slaves_left, 1u);
  EXPECT_EQ(told_[0].slaves_total, 2u);
  EXPECT_THAT(told_[0].related_ids, Contains("link:bond0@n1"));
  tracker_.OnLink(News("eth0", 2, false));
  EXPECT_EQ(told_[1].slaves_left, 0u);
}

TEST_F(LinkTrackerTest, ASpareSlaveWithoutACableIsNoNewsButTheInterfaceItselfIs) {
  SetLink("bond0", 5);
  Below("bond0", "eth0");
  Below("bond0", "eth1");
  SetLink("eth1", 3, "down");
  routes_["10.0.0.1"].index = 5;
  Watch();
  EXPECT_THAT(told_, IsEmpty());
  SetLink("eth2", 4, "down");
  routes_["10.0.0.2"] = {RouteAnswer::Kind::kRemote, 4, {}};
  Watch({"10.0.0.2:4420"});
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].interface, "eth2");
}

TEST_F(LinkTrackerTest, TheBondsArpMonitorCounts) {
  SetLink("bond0", 5);
  Below("bond0", "eth0");
  tree_.Write("sys/class/net/bond0/bonding/slaves", "eth0\n");
  tree_.Write("sys/class/net/eth0/bonding_slave/mii_status", "up\n");
  routes_["10.0.0.1"].index = 5;
  Watch();
  tree_.Write("sys/class/net/eth0/bonding_slave/mii_status", "down\n");
  tracker_.OnLink(News("eth0", 2, true));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "slave");
}

TEST_F(LinkTrackerTest, HardwareBelowABridgeAndAVlanCountsVirtualMachinesDoNot) {
  SetLink("br0.7", 7);
  SetLink("br0", 6);
  SetLink("vnet0", 8);
  Below("br0.7", "br0");
  tree_.Write("sys/class/net/br0/bridge/stp_state", "0\n");
  Below("br0", "eth0");
  Below("br0", "vnet0");
  tree_.Write("sys/class/net/eth0/device/vendor", "");
  routes_["10.0.0.1"].index = 7;
  Watch();
  tracker_.OnLink(News("vnet0", 8, false));
  EXPECT_THAT(told_, IsEmpty());
  tracker_.OnLink(News("eth0", 2, false));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "carrier");
  EXPECT_THAT(told_[0].endpoints, ElementsAre("10.0.0.1:4420"));
}

TEST_F(LinkTrackerTest, TheGatewayDoesNotAnswer) {
  routes_["10.0.0.1"].gateway = *ParseIpAddress("10.1.0.254");
  Watch();
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});  // not who is asked
  EXPECT_THAT(told_, IsEmpty());
  tracker_.OnNeighbour({2, *ParseIpAddress("10.1.0.254"), true, false});
  tracker_.OnNeighbour({2, *ParseIpAddress("10.1.0.254"), true, false});
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "neighbour");
  EXPECT_EQ(told_[0].detail, "neighbour 10.1.0.254 FAILED");
  tracker_.OnNeighbour({2, *ParseIpAddress("10.1.0.254"), false, true});
  EXPECT_TRUE(told_.back().up);
}

TEST_F(LinkTrackerTest, APeerThatDoesNotAnswerIsNoTroubleOfTheLinkAGatewayIs) {
  routes_["10.0.0.2"] = routes_["10.0.0.1"];
  routes_["10.2.0.2"] = {RouteAnswer::Kind::kRemote, 2, *ParseIpAddress("10.0.0.254")};
  tracker_.SetEndpoints(
      {*ParseEndpoint("10.0.0.2:4420"), Peer("10.0.0.1:7420"), Peer("10.0.0.2:7420"), Peer("10.2.0.2:7420")});
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});
  EXPECT_THAT(told_, IsEmpty());
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.2"), true, false});
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0].endpoints, ElementsAre("10.0.0.2:4420")) << "its storage alone";
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.254"), true, false});
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_THAT(told_[1].endpoints, Contains("10.2.0.2:7420"));
}

TEST_F(LinkTrackerTest, ALinkTellsWhatItCarries) {
  routes_["10.0.0.2"] = routes_["10.0.0.1"];
  tracker_.SetEndpoints({Peer("10.0.0.2:7420")});
  tracker_.OnLink(News("eth0", 2, false));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0].roles, ElementsAre(EndpointRole::kPeer));
  EXPECT_THAT(told_[0].related_ids, ElementsAre("endpoint:10.0.0.2:7420"))
      << "the node fails for more reasons";
  tracker_.OnLink(News("eth0", 2, true));
  tracker_.SetEndpoints({*ParseEndpoint("10.0.0.1:4420"), Peer("10.0.0.2:7420")});
  tracker_.OnLink(News("eth0", 2, false));
  EXPECT_THAT(told_.back().roles, ElementsAre(EndpointRole::kStorage, EndpointRole::kPeer));
}

TEST_F(LinkTrackerTest, TheLinkToAnEndpointIsTheOneThatFailed) {
  SetLink("wan0", 4);
  routes_["10.0.0.2"] = routes_["10.0.0.1"];
  const Endpoint peer = Peer("10.0.0.1:7420");
  EXPECT_EQ(tracker_.LinkTo(peer), "") << "not watched";
  tracker_.SetEndpoints({*ParseEndpoint("10.0.0.2:4420"), peer});
  EXPECT_EQ(tracker_.LinkTo(peer), "eth0") << "nothing has failed";
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.2"), true, false});
  EXPECT_EQ(tracker_.LinkTo(peer), "") << "what has failed is not on its way";
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.2"), false, true});
  tracker_.OnLink(News("eth0", 2, false));
  SetLink("eth0", 2, "down");
  routes_["10.0.0.1"].index = 4;
  tracker_.Refresh();
  EXPECT_EQ(tracker_.LinkTo(peer), "eth0") << "though its packets now try another";
  SetLink("eth0", 2);
  tracker_.OnLink(News("eth0", 2, true));
  EXPECT_EQ(tracker_.LinkTo(peer), "wan0");
}

TEST_F(LinkTrackerTest, ANeighbourThatFailedForTheLinkIsOverWithIt) {
  Watch();
  tracker_.OnLink(News("eth0", 2, false));
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});
  tracker_.OnLink(News("eth0", 2, true));
  ASSERT_EQ(told_.size(), 4u);
  EXPECT_TRUE(told_[2].up && told_[3].up);
  EXPECT_EQ(told_[3].what, "neighbour");
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});  // it was not the link
  EXPECT_FALSE(told_.back().up);
}

TEST_F(LinkTrackerTest, ANeighbourThatNobodyAsksForAnyMoreIsOver) {
  constexpr uint64_t kSecond = 1'000'000'000;
  Watch();
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});
  now_ += 100 * kSecond;
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});
  now_ += 100 * kSecond;
  tracker_.Refresh();
  EXPECT_EQ(told_.size(), 1u);
  now_ += 100 * kSecond;
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[1].up);
}

TEST_F(LinkTrackerTest, RoutesThatGoAreToldOncePerInterface) {
  routes_["10.0.0.2"] = routes_["10.0.0.1"];
  Watch({"10.0.0.1:4420", "10.0.0.2:4420", "10.0.0.3:4420"});  // the third never had one
  routes_.clear();
  tracker_.Refresh();
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].what, "route");
  EXPECT_THAT(told_[0].detail, HasSubstr("no route to 10.0.0.1:4420"));
  EXPECT_THAT(told_[0].endpoints, ElementsAre("10.0.0.1:4420", "10.0.0.2:4420"));
  routes_["10.0.0.1"] = {RouteAnswer::Kind::kRemote, 2, {}};
  tracker_.Refresh();
  EXPECT_EQ(told_.size(), 1u);  // one of them is still away
  routes_["10.0.0.2"] = routes_["10.0.0.1"];
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[1].up);
}

TEST_F(LinkTrackerTest, AnAnswerThatIsMissingIsNotANo) {
  Watch();
  routes_["10.0.0.1"].kind = RouteAnswer::Kind::kUnknown;
  tracker_.Refresh();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LinkTrackerTest, AFallbackRouteDoesNotHideThatTheLinkIsDown) {
  SetLink("wan0", 4);
  Watch();
  tracker_.OnLink(News("eth0", 2, false));
  SetLink("eth0", 2, "down");
  routes_["10.0.0.1"].index = 4;
  tracker_.Refresh();
  ASSERT_EQ(told_.size(), 1u);
  SetLink("eth0", 2);
  tracker_.OnLink(News("eth0", 2, true));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[1].up);
}

TEST_F(LinkTrackerTest, WhatNobodyWatchesAnyMoreIsOver) {
  Watch();
  tracker_.OnLink(News("eth0", 2, false));
  SetLink("eth0", 2, "down");
  tracker_.OnNeighbour({2, *ParseIpAddress("10.0.0.1"), true, false});
  told_.clear();
  Watch({});
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[0].up && told_[1].up);
}

}  // namespace
}  // namespace ffdc
