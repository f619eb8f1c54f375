// SPDX-License-Identifier: Apache-2.0
#include "base/mountinfo.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

TEST(ParseMount, ReadsWhatTheKernelWrites) {
  const auto mount = ParseMount(
      R"(36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue)");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->id, 36u);
  EXPECT_EQ(mount->parent_id, 35u);
  EXPECT_EQ(mount->dev, "98:0");
  EXPECT_EQ(mount->root, "/mnt1");
  EXPECT_EQ(mount->point, "/mnt 2");
  EXPECT_EQ(mount->propagation, "shared:1 master:2");
  EXPECT_EQ(mount->type, "ext3");
  EXPECT_EQ(mount->source, "/dev/root");
  EXPECT_EQ(mount->super_options, "rw,errors=continue");
}

TEST(ParseMount, AnEmptySourceIsEmpty) {
  const auto mount = ParseMount("1 0 0:5 / /x rw - tmpfs  rw,size=1k");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->source, "");
  EXPECT_EQ(mount->super_options, "rw,size=1k");
}

TEST(ParseMount, OnlyABlankEndsAField) {
  const auto mount = ParseMount("1 0 8:1 / /a\rb\\011c rw - ext4 /dev/sda1 rw");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->point, "/a\rb\tc");
  EXPECT_EQ(mount->type, "ext4");
}

TEST(ParseMount, RefusesWhatIsNone) {
  for (const char* line : {"", "1", "a b 8:1 / / rw - ext4 x rw", "1 0 8 / / rw - ext4 x rw",
                           "1 0 8:1 / / rw ext4 x rw", "1 0 8:1 / / rw -"}) {
    EXPECT_FALSE(ParseMount(line)) << line;
  }
}

TEST(MountOfPath, TheLongestAndLatestWins) {
  MountList list;
  for (const char* line :
       {"1 0 8:1 / / rw - ext4 a rw", "2 1 8:2 / /srv rw - ext4 b rw", "3 1 8:3 / /srv rw - xfs c rw"}) {
    list.mounts.push_back(*ParseMount(line));
  }
  EXPECT_EQ(MountOfPath(list, "/srv/x")->source, "c");
  EXPECT_EQ(MountOfPath(list, "/srv")->source, "c");
  EXPECT_EQ(MountOfPath(list, "/srvx")->source, "a");
  EXPECT_EQ(MountOfPath({}, "/srv"), nullptr);
}

}  // namespace
}  // namespace ffdc
