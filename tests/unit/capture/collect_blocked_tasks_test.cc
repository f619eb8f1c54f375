// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include "capture/blocked_tasks.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

TEST(ParseTaskStat, ReadsFieldsByTheirNumber) {
  const auto stat = ParseTaskStat(StatLine("42", "kworker/0:1", 'D'));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 42u);
  EXPECT_EQ(stat->comm, "kworker/0:1");
  EXPECT_EQ(stat->state, 'D');
  EXPECT_EQ(stat->start_ticks, 22u);
  EXPECT_EQ(stat->blkio_delay_ticks, 42u);
}

TEST(ParseTaskStat, ANameMayHoldAnything) {
  const auto stat = ParseTaskStat(StatLine("7", "a) R (b\n", 'S'));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) R (b\n");
  EXPECT_EQ(stat->state, 'S');
}

TEST(ParseTaskStat, RefusesWhatIsNone) {
  for (const char* text : {"", "1", "1 (x", "x) 1 (", "one (x) S 1", "1 (x)", "1 (x) SS 1"}) {
    EXPECT_FALSE(ParseTaskStat(text)) << text;
  }
}

class BlockedTasksTest : public CollectTest {
 protected:
  Result<> Collect(std::vector<int> fds = {}) {
    return Run([&](CollectContext& context) { return CollectBlockedTasks(context, roots_); }, std::move(fds));
  }
};

TEST_F(BlockedTasksTest, FallsBackToProcAndSaysSo) {
  Put("proc/10/task/10/stat", StatLine("10", "sleeper", 'S'));
  Put("proc/10/task/11/stat", StatLine("11", "wri\x1bter\xff", 'D'));
  Put("proc/10/task/11/stack", "[<0>] io_schedule+0x46/0x80\n[<0>] submit_bio_wait+0x5b/0x90\n");
  Put("proc/10/task/11/wchan", "io_schedule");
  Put("proc/12/task/12/stat", StatLine("12", "idle", 'I'));
  Put("proc/self/task/13/stat", StatLine("13", "no pid", 'D'));
  ASSERT_TRUE(Collect());
  const std::string text = Output("blocked-tasks.txt");
  EXPECT_EQ(text.rfind("# Tasks in uninterruptible sleep. Source: /proc", 0), 0u);
  EXPECT_NE(text.find("D pid=11 tgid=10 ppid=4 comm=wri\\x1bter\\xff state=D wchan=io_schedule\n"
                      "  [<0>] io_schedule+0x46/0x80\n  [<0>] submit_bio_wait+0x5b/0x90\n# End of list.\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("sleeper"), std::string::npos);
  EXPECT_EQ(text.find("no pid"), std::string::npos);
  ASSERT_NE(FindLoss("blocked_tasks.iterator"), nullptr);
  EXPECT_EQ(FindLoss("blocked_tasks.iterator")->count(), 0u);
}

TEST_F(BlockedTasksTest, ABrokenIteratorFallsBackWithItsReason) {
  Put("proc/10/task/10/stat", StatLine("10", "stuck", 'D'));
  const Fd no_link = Memfd("", 0);
  ASSERT_TRUE(Collect({no_link.get()}));
  EXPECT_NE(Output("blocked-tasks.txt").find("because cannot open the BPF task iterator"), std::string::npos);
  EXPECT_NE(Output("blocked-tasks.txt").find("comm=stuck"), std::string::npos);
  EXPECT_NE(Output("blocked-tasks.txt").find("no kernel stack"), std::string::npos);
}

TEST_F(BlockedTasksTest, FailsWithoutProc) {
  const auto result = Collect();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(roots_.proc.string()), std::string::npos);
}

// The parent of a vfork(2) waits in (killable) uninterruptible sleep for its child.
class VforkParent {
 public:
  VforkParent() {
    EXPECT_EQ(::pipe(gate_), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(gate_[1]);
      // NOLINTNEXTLINE: vfork is the point.
      if (::vfork() == 0) {
        char byte = 0;
        [[maybe_unused]] const ssize_t got = ::read(gate_[0], &byte, 1);
      }
      ::_exit(0);
    }
  }
  VforkParent(const VforkParent&) = delete;
  VforkParent& operator=(const VforkParent&) = delete;
  ~VforkParent() {
    ::close(gate_[0]);
    ::close(gate_[1]);  // lets the grandchild go
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  int gate_[2] = {-1, -1};
  pid_t pid_ = -1;
};

TEST_F(BlockedTasksTest, FindsARealOneOfThisKernel) {
  const VforkParent blocked;
  const std::string line =
      "D pid=" + std::to_string(blocked.pid()) + " tgid=" + std::to_string(blocked.pid());
  roots_.proc = "/proc";
  const std::string stat = "/proc/" + std::to_string(blocked.pid()) + "/stat";
  for (int i = 0; i < 5000 && ReadLine(stat).find(") D ") == std::string::npos; ++i) ::usleep(1000);
  ASSERT_TRUE(Collect());
  EXPECT_NE(Output("blocked-tasks.txt").find(line), std::string::npos) << Output("blocked-tasks.txt");
}

}  // namespace
}  // namespace ffdc
