// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_bytes.h"

#include <gtest/gtest.h>

#include "base/fs.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

constexpr uint32_t kDiskA = 8u << 20;

TEST(DiskBytes, ASecondIsTheDifferenceAndAnotherDiskOfTheNumberStartsAnew) {
  const TempDir dir;
  const std::string path = dir.path() / "diskstats";
  const auto say = [&](const char* line) { ASSERT_TRUE(WriteFile(path, line)); };
  say("8 0 sda 1 0 100 0 1 0 200 0 0 0 0\n");
  DiskByteCounter counter(path);
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kDiskA).read, 0u);
  say("8 0 sda 1 0 110 0 1 0 203 0 0 0 0\n");
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kDiskA).read, 10u * 512);
  EXPECT_EQ(counter.LastSecond(kDiskA).written, 3u * 512);
  say("8 0 sda 1 0 5 0 1 0 6 0 0 0 0\n");
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kDiskA).read, 0u);
  EXPECT_EQ(counter.LastSecond(kDiskA + 1).read, 0u);
}

}  // namespace
}  // namespace ffdc
