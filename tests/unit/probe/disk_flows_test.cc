// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_flows.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

constexpr uint32_t kSda = 8u << FFDC_DEV_MINOR_BITS;
constexpr uint32_t kDm = 253u << FFDC_DEV_MINOR_BITS | 1;

TEST(DiskFlows, EveryKindOfCompletionCounts) {
  std::map<uint32_t, DiskFlow> flows{{kSda, {}}, {kDm, {}}};
  ParseDiskStats(
      "   8       0 sda 1000 9 8 7 200 6 5 4 3 2 1 30 1 1 1 4 9\n"
      "   8       1 sda1 99 9 8 7 99 6 5 4 9 2 1 9 1 1 1 9 9\n"
      " 253       1 dm-1 5 0 8 7 6 0 5 4 0 2 1\n",
      flows);
  EXPECT_EQ(flows[kSda].completed, 1234u);
  EXPECT_EQ(flows[kSda].in_flight, 3u);
  EXPECT_EQ(flows[kDm].completed, 11u) << "a kernel that counts neither discards nor flushes";
  EXPECT_EQ(flows[kDm].in_flight, 0u);
}

TEST(DiskFlows, NonsenseIsLeftOut) {
  std::map<uint32_t, DiskFlow> flows{{kSda, {}}};
  ParseDiskStats("\n8 0\n8\nx y z\n 8 0 sda x 1 1 1 7\n", flows);
  EXPECT_EQ(flows.size(), 1u);
  EXPECT_EQ(flows[kSda].completed, 7u);
}

}  // namespace
}  // namespace ffdc
