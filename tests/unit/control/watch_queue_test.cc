// SPDX-License-Identifier: Apache-2.0
#include "control/watch_queue.h"

#include <gtest/gtest.h>

#include "ffdc/v1/incident.pb.h"

namespace ffdc::control {
namespace {

using std::chrono::milliseconds;

v1::Event Numbered(uint64_t number) {
  v1::Event event;
  event.set_count(number);
  return event;
}

TEST(WatchQueue, KeepsTheOldestAndCountsWhatItDrops) {
  WatchQueue<v1::Event> queue(2);
  for (uint64_t i = 1; i <= 5; ++i) queue.Push(Numbered(i));
  EXPECT_EQ(queue.Pop(milliseconds(0))->count(), 1u);
  EXPECT_EQ(queue.Pop(milliseconds(0))->count(), 2u);
  EXPECT_FALSE(queue.Pop(milliseconds(0)));
  EXPECT_EQ(queue.TakeDropped(), 3u);
  EXPECT_EQ(queue.TakeDropped(), 0u);
  queue.Push(Numbered(6));
  EXPECT_EQ(queue.Pop(milliseconds(0))->count(), 6u);
}

}  // namespace
}  // namespace ffdc::control
