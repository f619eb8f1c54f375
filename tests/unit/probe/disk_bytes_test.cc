// SPDX-License-Identifier: Apache-2.0
#include "probe/disk_bytes.h"

#include <gtest/gtest.h>

#include "base/fs.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

constexpr uint32_t kSda = 8u << 20;

TEST(DiskBytes, SectorsAreCountedAsBytes) {
  const auto disks = ParseDiskBytes(
      "   8       0 sda 100 1 2000 30 50 2 600 7 0 8 9 0 0 0 0 0 0\n"
      "   8       1 sda1 1 0 8 0 0 0 0 0 0 0 0\n"
      "nonsense\n 7 x\n");
  ASSERT_EQ(disks.size(), 2u);
  EXPECT_EQ(disks.at(kSda).read, 2000u * 512);
  EXPECT_EQ(disks.at(kSda).written, 600u * 512);
  EXPECT_EQ(disks.at(kSda | 1).read, 8u * 512);
}

TEST(DiskBytes, ASecondIsTheDifferenceAndAnotherDiskOfTheNumberStartsAnew) {
  const TempDir dir;
  const std::string path = dir.path() / "diskstats";
  const auto say = [&](const char* line) { ASSERT_TRUE(WriteFile(path, line)); };
  say("8 0 sda 1 0 100 0 1 0 200 0 0 0 0\n");
  DiskByteCounter counter(path);
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kSda).read, 0u);
  say("8 0 sda 1 0 110 0 1 0 203 0 0 0 0\n");
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kSda).read, 10u * 512);
  EXPECT_EQ(counter.LastSecond(kSda).written, 3u * 512);
  say("8 0 sda 1 0 5 0 1 0 6 0 0 0 0\n");
  counter.Tick();
  EXPECT_EQ(counter.LastSecond(kSda).read, 0u);
  EXPECT_EQ(counter.LastSecond(kSda + 1).read, 0u);
}

}  // namespace
}  // namespace ffdc
