// SPDX-License-Identifier: Apache-2.0

#include "capture/process_io.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

std::string Io(uint64_t read_bytes, uint64_t write_bytes) {
  return "rchar: 99\nwchar: 98\nsyscr: 1\nsyscw: 1\nread_bytes: " + std::to_string(read_bytes) +
         "\nwrite_bytes: " + std::to_string(write_bytes) + "\ncancelled_write_bytes: 7\n";
}

TEST(ParseProcessIo, TakesWhatReachedTheDevice) {
  const auto io = ParseProcessIo(Io(4096, 8192));
  ASSERT_TRUE(io);
  EXPECT_EQ(io->read_bytes, 4096u);
  EXPECT_EQ(io->write_bytes, 8192u);
  EXPECT_EQ(io->cancelled_write_bytes, 7u);
  EXPECT_FALSE(ParseProcessIo(""));
  EXPECT_FALSE(ParseProcessIo("read_bytes: -1\nread_bytes 12\n"));
}

TEST(ParseCgroup, PrefersTheGroupThatSaysSomething) {
  EXPECT_EQ(ParseCgroup("0::/system.slice/db.service\n"), "/system.slice/db.service");
  EXPECT_EQ(ParseCgroup("4:memory:/m\n3:cpu,blkio:/vm:1\n0::/\n"), "/vm:1");
  EXPECT_EQ(ParseCgroup("3:blkio:/b\n0::/unit\n"), "/unit");
  EXPECT_EQ(ParseCgroup("3:notblkio:/b\n0::/\n"), "/");
  EXPECT_EQ(ParseCgroup("garbage\n:\n"), "");
}

TEST(RankProcesses, RecentBytesFirstThenAllBytes) {
  const IoSnapshot before{{1, {100, 0, 0}}, {2, {0, 1000, 0}}, {3, {5000, 0, 0}}, {4, {9000, 0, 0}}};
  const IoSnapshot after{
      {1, {150, 0, 0}}, {2, {0, 1200, 0}}, {3, {5000, 0, 0}}, {4, {10, 0, 0}}, {5, {0, 0, 0}}};
  const IoRanking ranking = RankProcesses(before, after, 10);
  ASSERT_EQ(ranking.processes.size(), 4u);
  EXPECT_EQ(ranking.processes[0].pid, 2u);
  EXPECT_EQ(ranking.processes[0].recent_write_bytes, 200u);
  EXPECT_EQ(ranking.processes[1].pid, 1u);
  EXPECT_EQ(ranking.processes[2].pid, 4u) << "a pid in new hands starts from nothing";
  EXPECT_EQ(ranking.processes[2].recent_read_bytes, 10u);
  EXPECT_EQ(ranking.processes[3].pid, 3u);
  EXPECT_EQ(ranking.active_left_out, 0u);
}

TEST(RankProcesses, CountsTheActiveOnesItLeavesOut) {
  IoSnapshot before;
  IoSnapshot after;
  for (uint32_t pid = 1; pid <= 50; ++pid) {
    before[pid] = {1000, 0, 0};
    after[pid] = {1000 + (pid <= 30 ? pid : 0), 0, 0};
  }
  const IoRanking ranking = RankProcesses(before, after, 20);
  EXPECT_EQ(ranking.processes.size(), 20u);
  EXPECT_EQ(ranking.processes[0].pid, 30u);
  EXPECT_EQ(ranking.active_left_out, 10u);
}

class IoProcessesTest : public CollectTest {
 protected:
  Result<> Collect() {
    return Run([&](CollectContext& context) { return CollectIoProcesses(context, roots_); });
  }
  void Process(const std::string& pid, const std::string& comm, uint64_t read_bytes) const {
    Put("proc/" + pid + "/stat", StatLine(pid, comm, 'D'));
    Put("proc/" + pid + "/io", Io(read_bytes, 0));
    Put("proc/" + pid + "/wchan", "io_schedule");
    Put("proc/" + pid + "/cgroup", "0::/machine.slice/vm-7.scope\n");
  }
};

TEST_F(IoProcessesTest, ListsProcessesWithTheirState) {
  Process("10", "data\"base\xff", 4096);
  Process("11", "idle", 0);
  Put("proc/sys/kernel/task_delayacct", "0\n");
  Put("proc/self/mountinfo", "");
  ASSERT_TRUE(Collect());
  const auto lines = Lines("io-processes.jsonl");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["pid"].GetUint(), 10u);
  EXPECT_STREQ(lines[0]["comm"].GetString(), "data\"base\\xff");
  EXPECT_STREQ(lines[0]["state"].GetString(), "D");
  EXPECT_EQ(lines[0]["read_bytes"].GetUint64(), 4096u);
  EXPECT_EQ(lines[0]["blkio_delay_ticks"].GetUint64(), 42u);
  EXPECT_STREQ(lines[0]["wchan"].GetString(), "io_schedule");
  EXPECT_STREQ(lines[0]["cgroup"].GetString(), "/machine.slice/vm-7.scope");
  EXPECT_NE(FindLoss("io_processes.delay_accounting"), nullptr);
  EXPECT_NE(FindLoss("io_processes.cgroups"), nullptr);
  for (const auto& loss : context_->status().losses()) EXPECT_EQ(loss.count(), 0u) << loss.what();
}

TEST_F(IoProcessesTest, ListsGroupsOfBothVersions) {
  Process("10", "x", 1);
  Link("sys/dev/block/8:0", "../../devices/sda");
  Put("cg2/io.stat", "");
  Put("cg2/system.slice/db.service/io.stat",
      "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0 cost.usage=3\n7:0 \n");
  Put("cg2/system.slice/db.service/io.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n");
  Put("cg1/blkio.throttle.io_serviced", "Total 0\n");
  Put("cg1/vm/blkio.throttle.io_serviced",
      "8:0 Read 3\n8:0 Write 0\n8:0 Total 3\n8:16 Write 4\n8:16 Total 4\nTotal 7\n");
  Put("cg1/vm/blkio.throttle.io_service_bytes", "8:0 Read 4096\nTotal 4096\n");
  Put("proc/self/mountinfo", "1 0 0:5 / " + (root_ / "cg2").string() + " rw - cgroup2 cgroup2 rw\n" +
                                 "2 0 0:6 / " + (root_ / "cg1").string() + " rw - cgroup cgroup rw,blkio\n");
  ASSERT_TRUE(Collect());
  const auto lines = Lines("io-cgroups.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_STREQ(lines[0]["cgroup"].GetString(), "/system.slice/db.service");
  EXPECT_EQ(lines[0]["version"].GetInt(), 2);
  EXPECT_EQ(lines[0]["io"].MemberCount(), 1u);
  EXPECT_STREQ(lines[0]["io"]["8:0"]["device"].GetString(), "sda");
  EXPECT_EQ(lines[0]["io"]["8:0"]["wbytes"].GetUint64(), 20u);
  EXPECT_TRUE(lines[0].HasMember("io_pressure"));
  EXPECT_STREQ(lines[1]["cgroup"].GetString(), "/vm");
  EXPECT_EQ(lines[1]["ios"]["8:0"]["Read"].GetUint64(), 3u);
  EXPECT_EQ(lines[1]["ios"]["8:16"]["Write"].GetUint64(), 4u);
  EXPECT_EQ(lines[1]["bytes"]["8:0"]["Read"].GetUint64(), 4096u);
}

TEST_F(IoProcessesTest, FailsWithoutProc) {
  const auto result = Collect();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(roots_.proc.string()), std::string::npos);
}

TEST_F(IoProcessesTest, ReadsThisMachine) {
  ASSERT_TRUE(RunRegistered("io_processes"));
  for (const auto& line : Lines("io-processes.jsonl")) EXPECT_GT(line["pid"].GetUint(), 0u);
  EXPECT_EQ(FindLoss("io_processes.accounting"), nullptr);
}

}  // namespace
}  // namespace ffdc
