// SPDX-License-Identifier: Apache-2.0
#include "base/blocked_tasks.h"

#include <gtest/gtest.h>

namespace ffdc {
namespace {

constexpr std::string_view kDd =
    "D pid=12 tgid=11 ppid=1 state=0x2 start=5000000 switches=77 cgroup=5:4242 dev=253:1 fs=bdev comm=dd\n"
    "  submit_bio_wait+0x5a/0x90\n"
    "  __blkdev_direct_IO_simple+0x101/0x1e0\n";

TEST(BlockedTasks, EveryFieldAndFrame) {
  const auto tasks = ParseBlockedTasks(kDd);
  ASSERT_EQ(tasks.size(), 1u);
  const BlockedTask& task = tasks[0];
  EXPECT_EQ(task.pid, 12u);
  EXPECT_EQ(task.tgid, 11u);
  EXPECT_EQ(task.ppid, 1u);
  EXPECT_EQ(task.state, 2u);
  EXPECT_EQ(task.start_ns, 5'000'000u);
  EXPECT_EQ(task.switches, 77u);
  EXPECT_EQ(task.cgroup_id, 4242u);
  EXPECT_EQ(task.cgroup_hierarchy, 5u);
  EXPECT_EQ(task.file_dev, 253u << 20 | 1);
  EXPECT_EQ(task.file_system, "bdev");
  EXPECT_EQ(task.comm, "dd");
  ASSERT_EQ(task.frames.size(), 2u);
  EXPECT_EQ(task.frames[0], "submit_bio_wait+0x5a/0x90");
}

TEST(BlockedTasks, ANameMayHoldBlanks) {
  const auto tasks = ParseBlockedTasks(
      "D pid=1 tgid=1 ppid=0 state=0x102 start=1 switches=2 cgroup=0:3 dev=0:0 fs=- comm= a  b =c \n");
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].comm, " a  b =c ");
  EXPECT_EQ(tasks[0].file_dev, 0u);
  EXPECT_EQ(tasks[0].file_system, "");
}

TEST(BlockedTasks, ALineMadeUpInANameIsNoTask) {
  std::string text(kDd);
  text.insert(text.find("comm=") + 5, "x\nD pid=1 tgid=");
  const auto tasks = ParseBlockedTasks(text);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].pid, 12u);
  EXPECT_TRUE(tasks[0].frames.empty()) << "they may be anybody's";
}

TEST(BlockedTasks, WhatIsNotUnderstoodIsLeftOut) {
  EXPECT_TRUE(ParseBlockedTasks("").empty());
  EXPECT_TRUE(ParseBlockedTasks("  frame_of_nobody+0x1/0x2\nD\nD \nD pid=x\n").empty());
  const auto tasks = ParseBlockedTasks("D pid=99999999999 tgid=1\n  lost+0x1\n" + std::string(kDd));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].frames.size(), 2u);
}

}  // namespace
}  // namespace ffdc
