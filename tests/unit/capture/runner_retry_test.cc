// SPDX-License-Identifier: Apache-2.0
// The runner against workers that end as the test says: hung disks cannot be had to order.
#include <gmock/gmock.h>

#include <filesystem>
#include <utility>

#include "capture/runner.h"
#include "capture/staging.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ScriptedLauncher : public Launcher {
 public:
  struct Submitted {
    WorkerRequest request;
    std::function<void(WorkerReport)> done;
  };
  void Submit(const WorkerRequest& request, std::function<void(WorkerReport)> done) override {
    submitted.push_back({request, std::move(done)});
  }
  int fd() const override { return -1; }
  void Dispatch() override {}
  size_t running() const override { return submitted.size(); }
  uint64_t abandoned() const override { return 0; }
  WorkerReport RunToEnd(const WorkerRequest& /*request*/) override { return {}; }

  // Ends the oldest worker.
  Submitted End(WorkerOutcome outcome, std::string error, std::string reply = {}) {
    Submitted oldest = submitted.front();
    submitted.erase(submitted.begin());
    oldest.done({outcome, std::move(reply), std::move(error), 5});
    return oldest;
  }
  std::vector<Submitted> submitted;
};

class RunnerRetryTest : public CaptureFixture {
 protected:
  RunnerRetryTest() { NewRunner(launcher); }
  ~RunnerRetryTest() override { runner.reset(); }
  void StartAndCollect() {
    runner->Start(MakeJob(id), {});
    launcher.End(WorkerOutcome::kOk, "");
    ASSERT_EQ(launcher.submitted.size(), 1u);
    ASSERT_EQ(launcher.submitted[0].request.task, "capture.seal");
  }

  ScriptedLauncher launcher;
  std::string id = IncidentId(1);
};

TEST_F(RunnerRetryTest, AnAbandonedCollectorIsNamed) {
  runner->Start(MakeJob(id), {});
  launcher.End(WorkerOutcome::kAbandoned, "hangs in the kernel");
  const auto statuses = ReadStatuses(Staging(id));
  ASSERT_TRUE(statuses);
  EXPECT_EQ(statuses->ended.at("test_ok").result().outcome(), v1::ABANDONED);
  EXPECT_EQ(statuses->ended.at("test_ok").result().elapsed_ns(), 5u);
  v1::SealArgs args;
  ASSERT_TRUE(args.ParseFromString(launcher.submitted.at(0).request.argument));
  EXPECT_EQ(args.statuses(0).result().error(), "hangs in the kernel");
}

TEST_F(RunnerRetryTest, AStatusThatTheCollectorWroteStands) {
  runner->Start(MakeJob(id), {});
  v1::CollectorStatus status;
  status.mutable_result()->set_name("test_ok");
  status.mutable_result()->set_outcome(v1::OK);
  ASSERT_TRUE(WriteStatus(Staging(id), status));
  launcher.End(WorkerOutcome::kTimedOut, "killed at its deadline");
  EXPECT_EQ(ReadStatuses(Staging(id))->ended.at("test_ok").result().outcome(), v1::OK);
}

TEST_F(RunnerRetryTest, TheSealIsTriedAgainLessAndLessOften) {
  StartAndCollect();
  for (const uint64_t pause_s : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    launcher.End(WorkerOutcome::kAbandoned, "capture.seal: hangs in the kernel");
    EXPECT_THAT(runner->problems(),
                ElementsAre("capture " + id + " waits: capture.seal: hangs in the kernel"));
    clock.now_ns += pause_s * 1'000'000'000 - 1;
    runner->Tick();
    EXPECT_EQ(launcher.submitted.size(), 0u) << pause_s;
    EXPECT_EQ(runner->waiting(), 1u);
    clock.now_ns += 1;
    runner->Tick();
    EXPECT_EQ(launcher.submitted.size(), 1u) << pause_s;
  }
  EXPECT_EQ(done_calls, 0u);
}

TEST_F(RunnerRetryTest, AHungSpoolDoesNotKeepOthersFromCollecting) {
  for (unsigned n = 1; n <= options.max_parallel; ++n) {
    runner->Start(MakeJob(IncidentId(n)), {});
    // The seals before it hang; what came last is the collector.
    std::swap(launcher.submitted.front(), launcher.submitted.back());
    launcher.End(WorkerOutcome::kOk, "");
    ASSERT_EQ(launcher.submitted.back().request.task, "capture.seal");
  }
  runner->Start(MakeJob(IncidentId(99)), {});
  EXPECT_EQ(launcher.submitted.back().request.task, "capture.collect");
}

TEST_F(RunnerRetryTest, WithoutItsStagingFolderACaptureIsGivenUp) {
  StartAndCollect();
  fs::remove_all(Staging(id));
  launcher.End(WorkerOutcome::kError, "cannot open job.pb: No such file or directory");
  EXPECT_THAT(given_up[id], HasSubstr("capture " + id + " is given up: cannot open job.pb"));
  EXPECT_EQ(runner->waiting() + runner->running(), 0u);
}

TEST_F(RunnerRetryTest, AReportAfterTheRunnersEndIsDropped) {
  runner->Start(MakeJob(id), {});
  runner.reset();
  launcher.End(WorkerOutcome::kOk, "");
  EXPECT_EQ(done_calls, 0u);
}

TEST_F(RunnerRetryTest, CleaningTheSpoolIsTriedAgain) {
  runner->Recover();
  ASSERT_EQ(launcher.submitted.at(0).request.task, "capture.recover");
  launcher.End(WorkerOutcome::kTimedOut, "killed");
  EXPECT_THAT(runner->problems(),
              ElementsAre(HasSubstr("cannot clean " + options.spool_dir + "/tmp: killed")));
  runner->Tick();
  EXPECT_EQ(launcher.submitted.size(), 0u);
  clock.now_ns += 60'000'000'000;
  runner->Tick();
  ASSERT_EQ(launcher.submitted.size(), 1u);
  launcher.End(WorkerOutcome::kOk, "");
  EXPECT_EQ(runner->problems().size(), 0u);
}

}  // namespace
}  // namespace ffdc::capture_test
