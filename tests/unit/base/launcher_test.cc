// SPDX-License-Identifier: Apache-2.0
#include "base/launcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <latch>
#include <stdexcept>
#include <thread>

#include "base/fs.h"
#include "base/text.h"
#include "fakes/dispatch.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

uint64_t RanMs() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1000 + static_cast<uint64_t>(used.tv_nsec) / 1'000'000;
}

WorkerTasks Tasks() {
  return {
      {"echo",
       [](std::string_view text, std::span<const int>) -> Result<std::string> { return std::string(text); }},
      {"error",
       [](std::string_view, std::span<const int>) -> Result<std::string> { return Fail("no luck"); }},
      {"throw",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         throw std::runtime_error("oops");
       }},
      {"segfault",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         raise(SIGKILL);
         return "";
       }},
      {"kill_launcher",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         kill(getppid(), SIGKILL);
         for (;;) pause();
       }},
      {"hang",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         for (;;) pause();
       }},
      // On the processor of that number, for so long as it runs: in milliseconds.
      {"run",
       [](std::string_view text, std::span<const int>) -> Result<std::string> {
         PinTo(*ParseNumber<int>(NextWord(text)));
         const auto until_ms = *ParseNumber<uint64_t>(NextWord(text));
         while (RanMs() < until_ms) {
         }
         return "ran";
       }},
      {"write",
       [](std::string_view text, std::span<const int> fds) -> Result<std::string> {
         FFDC_TRY(WriteAll(fds[0], text, "fd"));
         return std::to_string(fds.size());
       }},
      {"stage.pid",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         return std::to_string(getpid());
       }},
      {"other.pid",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         return std::to_string(getpid());
       }},
      {"stage.fds",
       [](std::string_view text, std::span<const int> fds) -> Result<std::string> {
         for (const int fd : fds) FFDC_TRY(WriteAll(fd, text, "fd"));
         return std::to_string(fds.size());
       }},
      {"stage.hang",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         for (;;) pause();
       }},
      {"stage.die",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         raise(SIGKILL);
         return "";
       }},
      {"long",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         return std::string(kMaxReplyBytes, 'x');
       }},
      {"too_long",
       [](std::string_view, std::span<const int>) -> Result<std::string> {
         return std::string(kMaxReplyBytes + 1, 'x');
       }},
  };
}

class LauncherTest : public testing::Test {
 protected:
  void SetUp() override {
    auto launcher = Launcher::Start(Tasks());
    ASSERT_TRUE(launcher) << launcher.error().message;
    launcher_ = std::move(*launcher);
  }
  WorkerReport Run(const std::string& task, std::string argument = {}) {
    return launcher_->RunToEnd({task, std::move(argument), {}, std::chrono::milliseconds(60000)});
  }
  std::unique_ptr<Launcher> launcher_;
};

TEST_F(LauncherTest, ReturnsTheReply) {
  const auto report = Run("echo", "hello");
  EXPECT_EQ(report.outcome, WorkerOutcome::kOk);
  EXPECT_EQ(report.reply, "hello");
  EXPECT_GT(report.elapsed_ns, 0u);
}

TEST_F(LauncherTest, LargestArgumentAndReplyPass) {
  EXPECT_EQ(Run("echo", std::string(kMaxArgumentBytes, 'y')).reply.size(), kMaxArgumentBytes);
  EXPECT_EQ(Run("long").reply.size(), kMaxReplyBytes);
}

TEST_F(LauncherTest, TooLargeIsAnError) {
  EXPECT_EQ(Run("echo", std::string(kMaxArgumentBytes + 1, 'y')).outcome, WorkerOutcome::kError);
  EXPECT_THAT(Run("too_long").error, HasSubstr("too long an answer"));
}

TEST_F(LauncherTest, EveryEndIsNamed) {
  EXPECT_THAT(Run("error").error, HasSubstr("no luck"));
  EXPECT_EQ(Run("throw").outcome, WorkerOutcome::kCrashed);
  EXPECT_THAT(Run("throw").error, HasSubstr("oops"));
  EXPECT_EQ(Run("segfault").outcome, WorkerOutcome::kCrashed);
  EXPECT_THAT(Run("segfault").error, HasSubstr("Killed"));
  EXPECT_THAT(Run("nonsense").error, HasSubstr("no worker task named nonsense"));
}

TEST_F(LauncherTest, AHangingWorkerIsKilledAtItsDeadline) {
  const auto report = launcher_->RunToEnd({"hang", {}, {}, std::chrono::milliseconds(50)});
  EXPECT_EQ(report.outcome, WorkerOutcome::kTimedOut);
  EXPECT_GE(report.elapsed_ns, 50'000'000u);
  EXPECT_EQ(launcher_->running(), 0u);
}

// It shares a processor with what has priority, so that its time is several times as long as it runs.
TEST_F(LauncherTest, TheDeadlineDoesNotCountTheTimeWithoutAProcessor) {
  const std::string cpu = std::to_string(sched_getcpu());
  // For a while only: how little it may get meanwhile is the scheduler's affair.
  constexpr std::chrono::milliseconds kWhile{300};
  std::latch running(2);
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      PinTo(*ParseNumber<int>(cpu));
      running.count_down();
      const auto until = std::chrono::steady_clock::now() + kWhile;
      while (std::chrono::steady_clock::now() < until) {
      }
    });
  }
  running.wait();
  const auto starved = launcher_->RunToEnd({"run", cpu + " 60", {}, std::chrono::milliseconds(100)});
  EXPECT_EQ(starved.reply, "ran") << starved.error;
  EXPECT_GT(starved.elapsed_ns, 100'000'000u);
  for (std::thread& other : others) other.join();
  // What has a processor and does not end has no such excuse.
  const auto endless = launcher_->RunToEnd({"run", cpu + " 3600000", {}, std::chrono::milliseconds(50)});
  EXPECT_EQ(endless.outcome, WorkerOutcome::kTimedOut);
}

TEST_F(LauncherTest, PassesFileDescriptors) {
  const Fd file(memfd_create("test", MFD_CLOEXEC));
  const auto report =
      launcher_->RunToEnd({"write", "written", {file.get(), file.get()}, std::chrono::seconds(60)});
  EXPECT_EQ(report.reply, "2");
  char text[16] = {};
  EXPECT_EQ(pread(file.get(), text, sizeof text, 0), 7);
  EXPECT_STREQ(text, "written");
}

TEST_F(LauncherTest, ItsDeathIsSeenAndFailsWhatWaits) {
  EXPECT_TRUE(launcher_->alive());
  const auto report = Run("kill_launcher");
  EXPECT_EQ(report.outcome, WorkerOutcome::kError);
  EXPECT_THAT(report.error, HasSubstr("restart ffdcd"));
  EXPECT_FALSE(launcher_->alive());
}

class KeptWorkerTest : public LauncherTest {
 protected:
  WorkerReport RunKept(const std::string& task, std::chrono::milliseconds keep = std::chrono::seconds(60),
                       std::vector<int> fds = {}) {
    return launcher_->RunToEnd({task, "text", std::move(fds), std::chrono::seconds(60), keep});
  }
  static bool Exists(const std::string& pid) { return kill(std::stoi(pid), 0) == 0; }
};

TEST_F(KeptWorkerTest, TakesTheNextRequestOfItsStageAlone) {
  const std::string pid = RunKept("stage.pid").reply;
  EXPECT_EQ(RunKept("stage.pid").reply, pid);
  EXPECT_NE(RunKept("other.pid").reply, pid);
  EXPECT_NE(Run("stage.pid").reply, pid);  // not to be kept
  EXPECT_EQ(RunKept("stage.pid").reply, pid);
  EXPECT_EQ(launcher_->running(), 0u);
}

TEST_F(KeptWorkerTest, GetsTheDescriptorsOfEachRequestAndKeepsNone) {
  RunKept("stage.pid");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd output(ends[0]);
  Fd input(ends[1]);
  EXPECT_EQ(RunKept("stage.fds", std::chrono::seconds(60), {input.get()}).reply, "1");
  input.reset();
  EXPECT_EQ(ReadFile("/proc/self/fd/" + std::to_string(output.get())).value(), "text");  // to the end of file
}

TEST_F(KeptWorkerTest, SeveralAtOnceDoNotWaitForEachOther) {
  const std::string pid = RunKept("stage.pid").reply;
  bool ended = false;
  launcher_->Submit({"stage.hang", {}, {}, std::chrono::seconds(600), std::chrono::seconds(60)},
                    [&](const WorkerReport&) { ended = true; });
  EXPECT_NE(RunKept("stage.pid").reply, pid);
  EXPECT_FALSE(ended);
}

TEST_F(KeptWorkerTest, IsKilledAtTheDeadlineOfTheRequestItHas) {
  const std::string pid = RunKept("stage.pid").reply;
  const auto report =
      launcher_->RunToEnd({"stage.hang", {}, {}, std::chrono::milliseconds(50), std::chrono::seconds(60)});
  EXPECT_EQ(report.outcome, WorkerOutcome::kTimedOut);
  EXPECT_THAT(report.error, HasSubstr("stage.hang: killed at its deadline of 50 ms"));
  EXPECT_FALSE(Exists(pid));
  EXPECT_NE(RunKept("stage.pid").reply, pid);
}

TEST_F(KeptWorkerTest, OneThatDiesIsReportedOnceAndReplaced) {
  const std::string pid = RunKept("stage.pid").reply;
  EXPECT_EQ(RunKept("stage.die").outcome, WorkerOutcome::kCrashed);
  const std::string next = RunKept("stage.pid").reply;
  EXPECT_NE(next, pid);
  ASSERT_EQ(kill(std::stoi(next), SIGKILL), 0);  // while it waits
  while (Exists(next)) usleep(1000);
  EXPECT_EQ(RunKept("stage.pid").outcome, WorkerOutcome::kOk);
}

TEST_F(KeptWorkerTest, EndsWhenNothingComes) {
  const std::string pid = RunKept("stage.pid", std::chrono::milliseconds(10)).reply;
  while (Exists(pid)) usleep(1000);
  EXPECT_EQ(RunKept("stage.pid").outcome, WorkerOutcome::kOk);
}

TEST_F(LauncherTest, ThePreloadIsDoneForItsWorkersAlone) {
  static bool loaded = false;
  const WorkerTasks tasks{{"loaded", [](std::string_view, std::span<const int>) -> Result<std::string> {
                             return std::string(loaded ? "yes" : "no");
                           }}};
  launcher_.reset();
  auto launcher = Launcher::Start(tasks, [] { loaded = true; });
  ASSERT_TRUE(launcher);
  EXPECT_EQ((*launcher)->RunToEnd({"loaded", {}, {}, std::chrono::seconds(60)}).reply, "yes");
  EXPECT_FALSE(loaded);
}

TEST_F(LauncherTest, ManyAtOnceEachAnswersOnce) {
  std::map<std::string, int> seen;
  for (int i = 0; i < 300; ++i) {
    launcher_->Submit({"echo", std::to_string(i), {}, std::chrono::seconds(60)},
                      [&seen](const WorkerReport& report) { ++seen[report.reply]; });
  }
  while (launcher_->running() != 0) DispatchOnce(*launcher_);
  EXPECT_EQ(seen.size(), 300u);
  for (const auto& [reply, times] : seen) EXPECT_EQ(times, 1) << reply;
}

}  // namespace
}  // namespace ffdc
