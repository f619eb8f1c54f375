// SPDX-License-Identifier: Apache-2.0

#include "capture/block_stack.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

constexpr uint32_t kSdaDev = 8u << 20;

class BlockStateTest : public CollectTest {
 protected:
  void Disk(const std::string& name, const std::string& dev) const {
    Put("sys/devices/" + name + "/dev", dev + "\n");
    Put("sys/devices/" + name + "/size", "2048\n");
    Put("sys/devices/" + name + "/inflight", "       3        4\n");
    Put("sys/devices/" + name + "/stat", "1 2 3 4 5 6 7 8 9 10 11\n");
    Put("sys/devices/" + name + "/queue/scheduler", "[none] mq-deadline\n");
    Link("sys/class/block/" + name, "../../devices/" + name);
    Link("sys/dev/block/" + dev, "../../devices/" + name);
  }
  void Partition(const std::string& disk, const std::string& name, const std::string& dev) const {
    Put("sys/devices/" + disk + "/" + name + "/dev", dev + "\n");
    Put("sys/devices/" + disk + "/" + name + "/size", "1024\n");
    Put("sys/devices/" + disk + "/" + name + "/partition", "1\n");
    Link("sys/class/block/" + name, "../../devices/" + disk + "/" + name);
    Link("sys/dev/block/" + dev, "../../devices/" + disk + "/" + name);
  }
  void On(const std::string& holder, const std::string& slave) const {
    Link("sys/class/block/" + holder + "/slaves/" + slave, "../../" + slave);
    Link("sys/class/block/" + slave + "/holders/" + holder, "../../" + holder);
  }
  // sda -> sda1 -> dm-0 (with sdb below it too) -> loop5's file; sdc has nothing to do with it.
  void MakeStack() {
    Disk("sda", "8:0");
    Put("sys/devices/sda/device/state", "running\n");
    Put("sys/devices/sda/device/model", "ODD\xff MODEL \n");
    Put("sys/devices/sda/queue/iosched/read_expire", "500\n");
    Partition("sda", "sda1", "8:1");
    Disk("sdb", "8:16");
    Disk("sdc", "8:32");
    Disk("dm-0", "253:0");
    Put("sys/devices/dm-0/dm/name", "vg-data\n");
    Put("sys/devices/dm-0/dm/uuid", "LVM-abc\n");
    On("dm-0", "sda1");
    On("dm-0", "sdb");
    Disk("loop5", "7:5");
    Put("sys/devices/loop5/loop/backing_file", "/srv/images/vm.img\n");
    Put("proc/self/mountinfo",
        "1 0 8:32 / / rw - ext4 /dev/sdc rw\n"
        "2 1 253:0 / /srv rw,noatime - xfs /dev/mapper/vg-data rw\n");
    Put("proc/swaps", "Filename\tType\tSize\n/dev/sda1 partition 1 0 -2\n");
    job_.set_subject_dev(kSdaDev);
    job_.set_subject_name("sda");
  }
  Result<> Collect() {
    return Run([&](CollectContext& context) { return CollectBlockState(context, roots_); });
  }
  [[nodiscard]] std::vector<std::string> Devices() const {
    std::vector<std::string> found;
    for (const auto& line : Lines("block-state.jsonl")) {
      if (std::string_view(line["source"].GetString()) != "sysfs") continue;
      found.push_back(std::string(line["device"].GetString()) + " " +
                      (line.HasMember("relation") ? line["relation"].GetString() : "-"));
    }
    return found;
  }
};

TEST_F(BlockStateTest, FollowsTheStackUpDownAndAside) {
  MakeStack();
  ASSERT_TRUE(Collect());
  EXPECT_EQ(Devices(), (std::vector<std::string>{"sda subject", "sda1 above", "dm-0 above", "loop5 above",
                                                 "sdb beside"}));
}

TEST_F(BlockStateTest, LooksDownFromTheTop) {
  MakeStack();
  job_.set_subject_dev(7u << 20 | 5);
  ASSERT_TRUE(Collect());
  EXPECT_EQ(Devices(), (std::vector<std::string>{"loop5 subject", "dm-0 below", "sda1 below", "sdb below",
                                                 "sda below"}));
}

TEST_F(BlockStateTest, WritesAttributesAndDecodesCounters) {
  MakeStack();
  ASSERT_TRUE(Collect());
  const auto lines = Lines("block-state.jsonl");
  const auto& sda = lines[0];
  EXPECT_EQ(sda["inflight_reads"].GetUint64(), 3u);
  EXPECT_EQ(sda["inflight_writes"].GetUint64(), 4u);
  EXPECT_EQ(sda["stat"]["write_ticks_ms"].GetUint64(), 8u);
  EXPECT_EQ(sda["stat"].MemberCount(), 11u);
  EXPECT_STREQ(sda["attributes"]["device/state"].GetString(), "running");
  EXPECT_STREQ(sda["attributes"]["device/model"].GetString(), "ODD\\xff MODEL");
  EXPECT_STREQ(sda["attributes"]["queue/scheduler"].GetString(), "[none] mq-deadline");
  EXPECT_STREQ(sda["attributes"]["queue/iosched/read_expire"].GetString(), "500");
  EXPECT_STREQ(sda["above"][0].GetString(), "sda1");
}

TEST_F(BlockStateTest, DrawsATreeForPeople) {
  MakeStack();
  ASSERT_TRUE(Collect());
  const std::string tree = Output("device-stack.txt");
  const auto line_of = [&](const std::string& word) {
    const size_t at = tree.find(word);
    EXPECT_NE(at, std::string::npos) << word << "\n" << tree;
    if (at == std::string::npos) return std::string();
    const size_t begin = tree.rfind('\n', at) + 1;
    return tree.substr(begin, tree.find('\n', at) - begin);
  };
  EXPECT_NE(line_of("sda ").find("1.0 MiB     running      model ODD\\xff MODEL  <== THE SUBJECT"),
            std::string::npos);
  EXPECT_NE(line_of("└─sda1").find("swap"), std::string::npos);
  EXPECT_NE(line_of("  └─dm-0").find("dm lvm"), std::string::npos);
  EXPECT_NE(line_of("  └─dm-0").find("vg-data, uuid LVM-abc | /srv (xfs rw)"), std::string::npos);
  EXPECT_NE(line_of("    └─loop5").find("file /srv/images/vm.img"), std::string::npos);
  EXPECT_NE(line_of("(what stands on it").find("└─dm-0"), std::string::npos);
  EXPECT_EQ(tree.find("sdc"), std::string::npos);
}

TEST_F(BlockStateTest, TakesDebugfsWhereItIsMounted) {
  MakeStack();
  Put("debug/block/sda/state", "SAME_COMP|IO_STAT\n");
  Put("debug/block/sda/hctx0/busy", "0000 {.op=WRITE, .state=in_flight}\n");
  Put("debug/block/sda/hctx0/dispatch", "");
  Put("proc/self/mountinfo", "1 0 0:7 / " + (root_ / "debug").string() + " rw - debugfs none rw\n");
  ASSERT_TRUE(Collect());
  const auto lines = Lines("block-state.jsonl");
  const auto& debug = lines.back();
  EXPECT_STREQ(debug["source"].GetString(), "debugfs");
  EXPECT_STREQ(debug["device"].GetString(), "sda");
  EXPECT_STREQ(debug["attributes"]["hctx0/busy"].GetString(), "0000 {.op=WRITE, .state=in_flight}");
  EXPECT_FALSE(debug["attributes"].HasMember("hctx0/dispatch"));
  EXPECT_EQ(FindLoss("block_state.debugfs"), nullptr);
}

TEST_F(BlockStateTest, SaysThatDebugfsIsNotMounted) {
  MakeStack();
  ASSERT_TRUE(Collect());
  ASSERT_NE(FindLoss("block_state.debugfs"), nullptr);
  EXPECT_NE(FindLoss("block_state.debugfs")->detail().find("debugfs is not mounted"), std::string::npos);
  EXPECT_EQ(FindLoss("block_state.debugfs")->count(), 0u);
}

TEST_F(BlockStateTest, ADeviceThatIsGoneIsNamed) {
  MakeStack();
  std::filesystem::remove(root_ / "sys/dev/block/8:0");
  std::filesystem::remove(root_ / "sys/class/block/sda");
  ASSERT_TRUE(Collect());
  EXPECT_EQ(Devices(), std::vector<std::string>{"sda subject"});
  EXPECT_NE(Output("device-stack.txt").find("GONE"), std::string::npos);
  ASSERT_NE(FindLoss("block_state.device_gone"), nullptr);
}

TEST_F(BlockStateTest, WithoutASubjectEveryDeviceIsTaken) {
  MakeStack();
  Put("sys/devices/loop5/size", "0\n");
  job_.set_subject_dev(0);
  ASSERT_TRUE(Collect());
  EXPECT_EQ(Devices(), (std::vector<std::string>{"dm-0 -", "sda -", "sda1 -", "sdb -", "sdc -"}));
}

TEST_F(BlockStateTest, FindsThePathsOfNvmeMultipath) {
  Disk("nvme0n1", "259:0");
  Disk("nvme0c0n1", "259:1");
  Disk("nvme0c1n1", "259:2");
  Disk("nvme1n1", "259:3");
  Put("proc/self/mountinfo", "");
  const BlockStack stack = FindBlockStack(roots_, {}, "nvme0n1");
  ASSERT_EQ(stack.nodes.size(), 3u);
  EXPECT_EQ(stack.nodes[0].below, (std::vector<std::string>{"nvme0c0n1", "nvme0c1n1"}));
}

TEST_F(BlockStateTest, TheNumberOfDevicesIsBounded) {
  MakeStack();
  const BlockStack stack = FindBlockStack(roots_, {}, "sda", 2);
  EXPECT_EQ(stack.nodes.size(), 2u);
  EXPECT_EQ(stack.left_out, std::vector<std::string>{"dm-0"});
}

TEST_F(BlockStateTest, FailsWithoutSysfs) {
  const auto result = Collect();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(roots_.sys.string()), std::string::npos);
}

TEST_F(BlockStateTest, ReadsThisMachine) {
  ASSERT_TRUE(RunRegistered("block_state"));
  EXPECT_FALSE(Devices().empty());
  EXPECT_EQ(FindLoss("block_state.mounts"), nullptr);
}

}  // namespace
}  // namespace ffdc
