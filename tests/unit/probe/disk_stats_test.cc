// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_stats.h"

#include <gtest/gtest.h>

#include "fakes/units.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

constexpr uint32_t kDmDev = 253u << FFDC_DEV_MINOR_BITS | 1;

TEST(DiskStats, EveryKindOfCompletionCounts) {
  auto disks = ParseDiskStats(
      "   8       0 sda 1000 9 8 7 200 6 5 4 3 2 1 30 1 1 1 4 9\n"
      "   8       1 sda1 99 9 8 7 99 6 5 4 9 2 1 9 1 1 1 9 9\n"
      " 253       1 dm-1 5 0 8 7 6 0 5 4 0 2 1\n");
  ASSERT_EQ(disks.size(), 3u);
  EXPECT_EQ(disks[kSda].completed, 1234u);
  EXPECT_EQ(disks[kSda].in_flight, 3u);
  EXPECT_EQ(disks[kDmDev].completed, 11u) << "a kernel that counts neither discards nor flushes";
  EXPECT_EQ(disks[kDmDev].in_flight, 0u);
}

TEST(DiskStats, SectorsAreCountedAsBytes) {
  auto disks = ParseDiskStats(
      "   8       0 sda 100 1 2000 30 50 2 600 7 0 8 9 0 0 0 0 0 0\n"
      "   8       1 sda1 1 0 8 0 0 0 0 0 0 0 0\n");
  EXPECT_EQ(disks[kSda].read_bytes, 2000u * 512);
  EXPECT_EQ(disks[kSda].written_bytes, 600u * 512);
  EXPECT_EQ(disks[kSda | 1].read_bytes, 8u * 512);
}

TEST(DiskStats, NonsenseIsLeftOut) {
  auto disks = ParseDiskStats("\n8 0\n8\nx y z\n7 x\n 8 0 sda x 1 1 1 7\n");
  ASSERT_EQ(disks.size(), 1u);
  EXPECT_EQ(disks[kSda].completed, 7u);
}

}  // namespace
}  // namespace ffdc
