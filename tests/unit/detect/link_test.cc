// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "detect/detector.h"
#include "fakes/fake_clock.h"
#include "fakes/units.h"
#include "ffdc/abi/socket.h"

namespace ffdc {
namespace {

class LinkTest : public testing::Test {
 protected:
  LinkTest() : ids_(clock_), watched_(*ParseEndpoint("10.0.0.1:4420")) {
    watched_.source = "nvme controller nvme0";
    watched_.related_ids = {"mount:/srv"};
    DetectorWorld world;
    world.clock = &clock_;
    world.ids = &ids_;
    world.node = "node-a";
    world.endpoint = [this](const IpAddress& address, uint16_t port) {
      return address == watched_.address && port == watched_.port ? &watched_ : nullptr;
    };
    detectors_ = MakeDetectors(
        world, [this](const v1::Event& event, EventPhase phase) { events_.emplace_back(event, phase); });
  }

  void Link(const std::string& what, bool up, uint32_t slaves_left = 0, uint32_t slaves_total = 0) {
    LinkState state;
    state.interface = "eth0";
    state.what = what;
    state.up = up;
    state.detail = what + (up ? " up" : " down");
    state.endpoints = {"10.0.0.1:4420"};
    state.roles = roles_;
    state.slaves_left = slaves_left;
    state.slaves_total = slaves_total;
    state.time_ns = clock_.now_ns;
    state.related_ids = {"endpoint:10.0.0.1:4420", "mount:/srv"};
    for (auto& detector : detectors_) detector->OnLink(state);
  }
  void WatchAPeer() {
    watched_.role = EndpointRole::kPeer;
    watched_.source = "peer b";
    watched_.related_ids = {"node:b"};
  }
  void Socket(ffdc_socket_what what, uint16_t error, uint16_t retransmits = 0, uint16_t port = 4420) {
    ffdc_socket_failure failure{};
    failure.header = {FFDC_FAULT_SOCKET, sizeof failure, clock_.now_ns};
    failure.remote.family = watched_.address.family;
    failure.remote.port = port;
    std::copy(watched_.address.bytes.begin(), watched_.address.bytes.end(), failure.remote.address);
    failure.what = what;
    failure.error = error;
    failure.retransmits = retransmits;
    for (auto& detector : detectors_) detector->OnRecord(failure.header);
  }
  void Pass(uint64_t seconds) {
    for (uint64_t i = 0; i < seconds; ++i) {
      clock_.now_ns += kSecond;
      for (auto& detector : detectors_) detector->OnPoll();
      for (auto& detector : detectors_) detector->OnTick({});
    }
  }
  size_t Count(const std::string& kind, EventPhase phase) const {
    size_t count = 0;
    for (const auto& [event, at] : events_) count += event.kind() == kind && at == phase ? 1 : 0;
    return count;
  }
  const v1::Event& Last(const std::string& kind) const {
    static const v1::Event none;
    for (auto entry = events_.rbegin(); entry != events_.rend(); ++entry) {
      if (entry->first.kind() == kind) return entry->first;
    }
    ADD_FAILURE() << "no " << kind;
    return none;
  }
  static std::string Fact(const v1::Event& event, const std::string& name) {
    for (const v1::Fact& fact : event.facts()) {
      if (fact.name() == name) return fact.value();
    }
    return "";
  }

  FakeClock clock_;
  UuidGenerator ids_;
  Endpoint watched_;
  std::set<EndpointRole> roles_{EndpointRole::kStorage};
  std::vector<std::pair<v1::Event, EventPhase>> events_;
  std::vector<std::unique_ptr<Detector>> detectors_;
};

TEST_F(LinkTest, DownIsToldAtOnceAndUpWhenItLasts) {
  Link("carrier", false);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event down = events_[0].first;
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
  EXPECT_EQ(down.kind(), "link.down");
  EXPECT_EQ(down.severity(), v1::CRITICAL);
  EXPECT_EQ(down.domain(), v1::X1);
  EXPECT_EQ(down.subject().id(), "link:eth0@node-a");
  EXPECT_EQ(down.subject().type(), "link");
  EXPECT_EQ(down.related_ids(0), "endpoint:10.0.0.1:4420");
  EXPECT_EQ(Fact(down, "state"), "carrier down");
  EXPECT_EQ(down.summary(), "eth0: carrier down; it carries 10.0.0.1:4420");
  Pass(5);
  Link("carrier", true);
  Pass(2);
  EXPECT_EQ(Count("link.up", EventPhase::kOpened), 0u);
  Pass(2);
  EXPECT_EQ(Count("link.down", EventPhase::kEnded), 1u);
  EXPECT_EQ(Last("link.down").duration_ns(), 5 * kSecond);
  const v1::Event& up = Last("link.up");
  EXPECT_EQ(up.severity(), v1::INFO);
  EXPECT_EQ(up.subject().id(), "link:eth0@node-a");
  EXPECT_EQ(up.related_ids_size(), 2);
  EXPECT_EQ(up.summary(), "eth0: up again after 5.0 s");
}

TEST_F(LinkTest, FlappingIsOneEventWithACount) {
  for (int i = 0; i < 6; ++i) {
    Link("carrier", false);
    Pass(1);
    Link("carrier", true);
    Pass(1);
  }
  EXPECT_EQ(Count("link.down", EventPhase::kOpened), 1u);
  Pass(5);
  EXPECT_EQ(Count("link.up", EventPhase::kOpened), 1u);
  EXPECT_EQ(Last("link.down").count(), 6u);
}

TEST_F(LinkTest, ABlinkIsAnEvent) {
  Link("carrier", false);
  Link("carrier", true);
  Pass(4);
  EXPECT_EQ(Count("link.down", EventPhase::kOpened), 1u);
  EXPECT_EQ(Count("link.up", EventPhase::kOpened), 1u);
}

TEST_F(LinkTest, OneOfTwoLinksIsAWarningAndTheLastIsNot) {
  Link("slave", false, 1, 2);
  EXPECT_EQ(Last("link.down").severity(), v1::WARNING);
  EXPECT_EQ(Fact(Last("link.down"), "links_left"), "1");
  Link("slave", false, 0, 2);
  Pass(1);
  EXPECT_EQ(Last("link.down").severity(), v1::CRITICAL);
}

TEST_F(LinkTest, ItIsUpOnceAllOfItIs) {
  Link("carrier", false);
  Link("route", false);
  Link("carrier", true);
  Pass(5);
  EXPECT_EQ(Count("link.up", EventPhase::kOpened), 0u);
  EXPECT_EQ(Last("link.down").count(), 1u);
  EXPECT_EQ(Last("link.down").summary(), "eth0: carrier down; it carries 10.0.0.1:4420");
  Link("route", true);
  Pass(4);
  EXPECT_EQ(Count("link.up", EventPhase::kOpened), 1u);
}

TEST_F(LinkTest, UpOfWhatWasNotDownIsNothing) {
  Link("carrier", true);
  Pass(5);
  EXPECT_TRUE(events_.empty());
}

TEST_F(LinkTest, AnEndpointWhoseConnectionsFailIsDegraded) {
  Socket(FFDC_SOCKET_ERROR, ECONNREFUSED);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event event = events_[0].first;
  EXPECT_EQ(event.kind(), "path.degraded");
  EXPECT_EQ(event.severity(), v1::WARNING);
  EXPECT_EQ(event.domain(), v1::X1);
  EXPECT_EQ(event.subject().type(), "endpoint");
  EXPECT_EQ(event.subject().id(), "endpoint:10.0.0.1:4420");
  EXPECT_EQ(event.related_ids(0), "mount:/srv");
  EXPECT_EQ(Fact(event, "transport"), "tcp");
  EXPECT_EQ(event.summary(), "10.0.0.1:4420 (nvme controller nvme0): connection failed: Connection refused");
  Socket(FFDC_SOCKET_ERROR, ETIMEDOUT);
  Socket(FFDC_SOCKET_RETRANSMIT, 0, 3);
  Socket(FFDC_SOCKET_RETRANSMIT, 0, 4);
  Pass(1);
  EXPECT_EQ(Count("path.degraded", EventPhase::kOpened), 1u);
  EXPECT_EQ(Last("path.degraded").count(), 4u);
  EXPECT_EQ(Fact(Last("path.degraded"), "error"), "ECONNREFUSED, ETIMEDOUT");
  EXPECT_EQ(Fact(Last("path.degraded"), "retransmits"), "4");
  Pass(62);
  EXPECT_EQ(Count("path.degraded", EventPhase::kEnded), 1u);
  Socket(FFDC_SOCKET_ERROR, EHOSTUNREACH);
  EXPECT_EQ(Fact(Last("path.degraded"), "error"), "EHOSTUNREACH");
}

TEST_F(LinkTest, ASessionThatIsResetOnceIsNotDegraded) {
  for (int connection = 0; connection < 9; ++connection) Socket(FFDC_SOCKET_ERROR, ECONNRESET);
  Pass(12);
  Socket(FFDC_SOCKET_ERROR, EPIPE);
  Pass(12);
  EXPECT_TRUE(events_.empty());
}

TEST_F(LinkTest, ResetsThatRepeatAreAnEvent) {
  const uint64_t first_ns = clock_.now_ns;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(events_.empty());
    Socket(FFDC_SOCKET_ERROR, ECONNRESET);
    Pass(2);
  }
  EXPECT_EQ(Last("path.degraded").first_mono_ns(), first_ns);
}

TEST_F(LinkTest, AResetAndNoWayBackIsAnEventSinceTheReset) {
  const uint64_t first_ns = clock_.now_ns;
  Socket(FFDC_SOCKET_ERROR, ECONNRESET);
  Pass(1);
  Socket(FFDC_SOCKET_ERROR, ECONNREFUSED);
  EXPECT_EQ(Last("path.degraded").first_mono_ns(), first_ns);
  EXPECT_EQ(Fact(Last("path.degraded"), "error"), "ECONNREFUSED, ECONNRESET");
}

TEST_F(LinkTest, ALinkOfTheClusterAloneIsOfX3) {
  roles_ = {EndpointRole::kDb, EndpointRole::kPeer};
  Link("carrier", false);
  EXPECT_EQ(Last("link.down").domain(), v1::X3);
  EXPECT_EQ(Fact(Last("link.down"), "carries"), "db, peer");
  Link("carrier", true);
  Pass(4);
  EXPECT_EQ(Last("link.up").domain(), v1::X3);
}

TEST_F(LinkTest, OneThatCarriesStorageTooIsOfX1WhicheverIsSeenFirst) {
  roles_ = {EndpointRole::kPeer};
  Link("route", false);
  EXPECT_EQ(Last("link.down").domain(), v1::X3);
  roles_ = {EndpointRole::kStorage, EndpointRole::kPeer};
  Link("carrier", false);
  Pass(1);
  EXPECT_EQ(Last("link.down").domain(), v1::X1);
  roles_ = {EndpointRole::kPeer};
  Link("neighbour", false);
  Pass(1);
  EXPECT_EQ(Last("link.down").domain(), v1::X1);
}

TEST_F(LinkTest, APeerThatIsStoppedOrRestartedIsNothing) {
  WatchAPeer();
  for (int i = 0; i < 30; ++i) {
    Socket(FFDC_SOCKET_ERROR, i % 3 == 0 ? ECONNRESET : ECONNREFUSED);
    Socket(FFDC_SOCKET_ERROR, EPIPE);
    Pass(1);
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(LinkTest, AWayToAPeerThatStaysBadIsAnEventAndStandsOnThePeer) {
  WatchAPeer();
  const uint64_t first_ns = clock_.now_ns;
  for (int i = 0; i < 3; ++i) {
    Socket(FFDC_SOCKET_RETRANSMIT, 0, 3);
    Pass(4);
    EXPECT_TRUE(events_.empty()) << "a node that died is found by then";
  }
  Socket(FFDC_SOCKET_ERROR, ETIMEDOUT);
  ASSERT_EQ(Count("path.degraded", EventPhase::kOpened), 1u);
  const v1::Event event = Last("path.degraded");
  EXPECT_EQ(event.first_mono_ns(), first_ns);
  EXPECT_EQ(event.domain(), v1::X3);
  EXPECT_EQ(event.severity(), v1::WARNING);
  EXPECT_EQ(Fact(event, "role"), "peer");
  ASSERT_EQ(event.below_ids_size(), 1);
  EXPECT_EQ(event.below_ids(0), "node:b");
  EXPECT_EQ(event.related_ids(0), "node:b");
  Socket(FFDC_SOCKET_ERROR, ECONNREFUSED);
  Pass(1);
  EXPECT_EQ(Fact(Last("path.degraded"), "error"), "ECONNREFUSED, ETIMEDOUT");
}

TEST_F(LinkTest, AHiccupOnTheWayToAPeerNowAndThenIsNothing) {
  WatchAPeer();
  for (int i = 0; i < 5; ++i) {
    Socket(FFDC_SOCKET_RETRANSMIT, 0, 4);
    Pass(40);
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(LinkTest, WhatIsNotWatchedAnyMoreIsNothing) {
  Socket(FFDC_SOCKET_ERROR, ECONNREFUSED, 0, 4421);
  EXPECT_TRUE(events_.empty());
}

}  // namespace
}  // namespace ffdc
