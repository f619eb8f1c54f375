// SPDX-License-Identifier: Apache-2.0
#include "detect/io_limits.h"

#include <gtest/gtest.h>

#include "base/fs.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

using Disks = std::vector<uint32_t>;

TEST(IoLimits, OnlyTightOnesCount) {
  EXPECT_EQ(TightLimitsOfV2("8:0 rbps=1024 wbps=max riops=max wiops=max\n"
                            "8:16 rbps=max wbps=104857600 riops=5000 wiops=max\n"
                            "8:32 rbps=max wbps=max riops=max wiops=1\n"),
            (Disks{kSda, kSda | 32}));
  EXPECT_EQ(TightLimitsOfV2("8:0\nx rbps=1\n8:0 rbps=\n8:0 rbps=x =1 bogus=1\n"), Disks{});
  EXPECT_EQ(TightLimitsOfV1("8:0 1024\n8:16 104857600\n", true), Disks{kSda});
  EXPECT_EQ(TightLimitsOfV1("8:0 1000\n8:16 2\n", false), Disks{kSda | 16});
}

TEST(IoLimits, OfACgroupAndThoseAboveIt) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir.path() / "a/b"));
  ASSERT_TRUE(WriteFile(dir.path() / "a/io.max", "8:0 rbps=1024 wbps=max riops=max wiops=max\n"));
  ASSERT_TRUE(WriteFile(dir.path() / "a/b/blkio.throttle.write_iops_device", "8:16 1\n"));
  EXPECT_EQ(TightlyLimitedDisks({dir.path() / "a/b", dir.path() / "a"}), (Disks{kSda | 16, kSda}));
  EXPECT_EQ(TightlyLimitedDisks({dir.path() / "gone"}), Disks{});
}

}  // namespace
}  // namespace ffdc
