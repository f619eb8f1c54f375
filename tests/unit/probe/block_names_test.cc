// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/block_probe.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BlockNames, OpsThatMeanTheSameEverywhere) {
  EXPECT_EQ(OpName(0), "read");
  EXPECT_EQ(OpName(1), "write");
  EXPECT_EQ(OpName(2), "flush");
  EXPECT_EQ(OpName(3), "discard");
  EXPECT_EQ(OpName(9), "write zeroes");
}

TEST(BlockNames, AnUnknownOpKeepsItsNumber) { EXPECT_EQ(OpName(200), "op 200"); }

TEST(BlockNames, StatusesInTheKernelsWords) {
  EXPECT_EQ(StatusName(3), "critical space allocation error");
  EXPECT_EQ(StatusName(7), "critical medium error");
  EXPECT_EQ(StatusName(10), "I/O error");
  EXPECT_EQ(StatusName(200), "status 200");
}

TEST(BlockNames, FlagsLeaveTheOpOut) {
  constexpr uint32_t kOp = 0xff;
  EXPECT_THAT(RequestFlagNames(kOp), IsEmpty());
}

// These bits come first in every kernel since 5.10.
TEST(BlockNames, FlagsByBit) {
  EXPECT_THAT(RequestFlagNames(1u << 8 | 1u << 11), ElementsAre("failfast dev", "sync"));
}

TEST(BlockNames, AnUnknownFlagKeepsItsBit) {
  EXPECT_THAT(RequestFlagNames(1u << 31), ElementsAre("flag 31"));
}

}  // namespace
}  // namespace ffdc
