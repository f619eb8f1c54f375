// SPDX-License-Identifier: Apache-2.0
#include "base/block_dev.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

TEST(ParseDev, TakesWhatFormatDevWrites) {
  EXPECT_EQ(ParseDev("8:16"), 8u << 20 | 16);
  EXPECT_EQ(FormatDev(8u << 20 | 16), "8:16");
  EXPECT_EQ(ParseDev("4095:1048575"), UINT32_MAX);
  EXPECT_EQ(FormatDev(UINT32_MAX), "4095:1048575");
}

TEST(ParseDev, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "8", "8:", ":16", "8:16 ", "-8:16", "8:1:6", "4096:0", "0:1048576"})
    EXPECT_FALSE(ParseDev(text)) << text;
}

TEST(NvmeHead, IsTheDeviceOfAPath) {
  EXPECT_EQ(NvmeHead("nvme0c2n1"), "nvme0n1");
  EXPECT_EQ(NvmeHead("nvme10c12n3"), "nvme10n3");
  for (const char* name : {"nvme0n1", "nvme0c2", "sdc", "nvme", "dm-0"})
    EXPECT_EQ(NvmeHead(name), "") << name;
}

}  // namespace
}  // namespace ffdc
