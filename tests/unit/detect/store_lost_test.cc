// SPDX-License-Identifier: Apache-2.0
#include "detect/store_lost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

TEST(StoreEventsTest, OneEventAnOutageWithItsDuration) {
  FakeClock clock;
  UuidGenerator ids(clock);
  DetectorWorld world;
  world.clock = &clock;
  world.ids = &ids;
  world.node = "node-a";
  std::vector<std::pair<v1::Event, EventPhase>> events;
  StoreEvents store(
      world, [] { return std::vector<std::string>{"nfs:server:/export"}; },
      [&](const v1::Event& event, EventPhase phase) { events.emplace_back(event, phase); });
  const uint64_t lost_ns = clock.now_ns - 10 * kSecond;

  store.OnStore({"dir:/mnt/nfs", false, "", clock.now_ns});
  EXPECT_TRUE(events.empty()) << "there was no outage";
  store.OnStore({"dir:/mnt/nfs", true, "store dir:/mnt/nfs does not answer", lost_ns});
  ASSERT_EQ(events.size(), 1u);
  const v1::Event lost = events[0].first;
  EXPECT_EQ(events[0].second, EventPhase::kOpened);
  EXPECT_EQ(lost.kind(), "store.lost");
  EXPECT_EQ(lost.domain(), v1::X1);
  EXPECT_EQ(lost.severity(), v1::CRITICAL);
  EXPECT_EQ(lost.subject().id(), "dir:/mnt/nfs");
  EXPECT_THAT(lost.below_ids(), testing::ElementsAre("nfs:server:/export"));
  EXPECT_THAT(lost.related_ids(), testing::ElementsAre("nfs:server:/export"));
  EXPECT_EQ(lost.first_mono_ns(), lost_ns);
  EXPECT_EQ(lost.summary(), "store dir:/mnt/nfs does not answer");
  EXPECT_EQ(lost.count(), 1u);
  for (int i = 0; i < 100; ++i) {
    clock.now_ns += kSecond;
    store.Tick();
  }
  EXPECT_LE(events.size(), 2u) << "nothing new happened";
  events.clear();

  store.OnStore({"dir:/mnt/nfs", false, "", clock.now_ns});
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0].first.id(), lost.id());
  EXPECT_EQ(events[0].second, EventPhase::kEnded);
  EXPECT_EQ(events[0].first.duration_ns(), 110 * kSecond);
  EXPECT_EQ(events[1].first.kind(), "store.restored");
  EXPECT_EQ(events[1].first.severity(), v1::INFO);
  EXPECT_EQ(events[1].first.subject().id(), "dir:/mnt/nfs");
}

}  // namespace
}  // namespace ffdc
