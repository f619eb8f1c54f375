// SPDX-License-Identifier: Apache-2.0
#include "capture/runner.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <filesystem>

#include "base/fs.h"
#include "capture/staging.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kSpace64k[] = "size=64k";

class RunnerTest : public CaptureFixture {
 protected:
  void MountSpool(const char* how, unsigned long flags = 0) {
    fs::create_directories(options.spool_dir);
    ASSERT_EQ(mount("tmpfs", options.spool_dir.c_str(), "tmpfs", flags, how), 0) << strerrordesc_np(errno);
  }
  void RemountSpool(const char* how, unsigned long flags = 0) {
    ASSERT_EQ(mount("tmpfs", options.spool_dir.c_str(), "tmpfs", flags | MS_REMOUNT, how), 0);
  }
  // One capture in a life of its own, from its start to its end.
  void CaptureOnce() {
    NewRunner();
    runner->Start(MakeJob(id), {});
    RunToEnd();
  }

  const std::string id = IncidentId(1);
};

TEST_F(RunnerTest, SealsWhatTheCollectorsLeft) {
  options.collectors = {"test_ok", "test_silent"};
  NewRunner();
  auto input = std::make_shared<const Fd>(memfd_create("input", MFD_CLOEXEC));
  ASSERT_TRUE(WriteAll(input->get(), "frozen history\n", "memfd"));
  runner->Start(MakeJob(id), {{"test_ok", {input}}});
  EXPECT_EQ(runner->running(), 1u);
  RunToEnd();

  ASSERT_TRUE(sealed.contains(id));
  EXPECT_EQ(sealed[id].path(), Sealed(id));
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  const v1::Manifest& manifest = sealed[id].manifest();
  EXPECT_EQ(manifest.format(), 1u);
  EXPECT_EQ(manifest.node(), "n1");
  EXPECT_EQ(manifest.failure_mono_ns(), 123u);
  ASSERT_NE(FindFile(manifest, "ok.txt"), nullptr);
  EXPECT_EQ(FindFile(manifest, "ok.txt")->size_bytes(), 15u);
  EXPECT_EQ(FindFile(manifest, "ok.txt")->collector(), "test_ok");
  EXPECT_EQ(FindFile(manifest, "subject.txt")->size_bytes(), 4u);
  EXPECT_EQ(FindCollector(manifest, "test_ok")->bytes(), 19u);
  EXPECT_GT(FindCollector(manifest, "test_ok")->elapsed_ns(), 0u);
  EXPECT_EQ(FindCollector(manifest, "test_silent")->outcome(), v1::OK);
  EXPECT_EQ(FindLoss(manifest, "kernel_log.overwritten")->count(), 3u);
  EXPECT_EQ(FindLoss(manifest, "io_history.overwritten")->count(), 7u);
  EXPECT_EQ(manifest.losses_size(), 2);
  ASSERT_EQ(manifest.last_ios_size(), 1);
  EXPECT_EQ(manifest.last_ios(0).sector(), 4711u);
  EXPECT_THAT(ListFolder(options.runtime_dir + "/captures").value(), IsEmpty());
  EXPECT_THAT(ListFolder(options.spool_dir + "/tmp").value(), IsEmpty());
  EXPECT_EQ(input.use_count(), 1) << "the frozen history is let go";
}

TEST_F(RunnerTest, TheManifestNamesHowEachCollectorEnded) {
  options.collectors = {"test_bad_name", "test_cap", "test_crash", "test_error",
                        "test_hang",     "test_ok",  "test_throw"};
  options.collector_max_bytes = 10'000;
  CaptureOnce();

  ASSERT_TRUE(sealed.contains(id));
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  const v1::Manifest& manifest = sealed[id].manifest();
  std::vector<std::string> names;
  std::map<std::string, v1::CollectorOutcome> outcomes;
  for (const auto& result : manifest.collectors()) {
    names.push_back(result.name());
    outcomes[result.name()] = result.outcome();
    EXPECT_EQ(result.error().empty(), result.outcome() == v1::OK) << result.name();
  }
  EXPECT_EQ(names, options.collectors) << "sorted by name";
  EXPECT_EQ(outcomes["test_ok"], v1::OK);
  EXPECT_EQ(outcomes["test_error"], v1::ERROR);
  EXPECT_EQ(outcomes["test_throw"], v1::ERROR);
  EXPECT_EQ(outcomes["test_crash"], v1::ERROR);
  EXPECT_EQ(outcomes["test_bad_name"], v1::ERROR);
  EXPECT_EQ(outcomes["test_hang"], v1::TIMED_OUT);
  EXPECT_EQ(outcomes["test_cap"], v1::CUT);
  EXPECT_EQ(FindCollector(manifest, "test_error")->error(), "no debugfs, bytes ?");
  EXPECT_THAT(FindCollector(manifest, "test_throw")->error(), HasSubstr("thrown"));
  for (const char* what :
       {"collector.test_error.error", "collector.test_throw.error", "collector.test_crash.error",
        "collector.test_bad_name.error", "collector.test_hang.timed_out", "collector.test_cap.cut"}) {
    EXPECT_NE(FindLoss(manifest, what), nullptr) << what;
  }
  EXPECT_EQ(FindLoss(manifest, "collector.test_ok.ok"), nullptr);
}

TEST_F(RunnerTest, FilesOfACollectorThatDidNotFinishAreKeptAndMarked) {
  options.collectors = {"test_cap", "test_crash", "test_error", "test_hang"};
  options.collector_max_bytes = 10'000;
  CaptureOnce();

  const v1::Manifest& manifest = sealed[id].manifest();
  const std::map<std::string, bool> truncated = {
      {"cap.txt", true}, {"crash.txt", true}, {"error.txt", false}, {"hang.txt", true}};
  ASSERT_EQ(manifest.files_size(), 4);
  for (const auto& file : manifest.files()) {
    EXPECT_EQ(file.truncated(), truncated.at(file.name())) << file.name();
    EXPECT_EQ("test_" + file.name(), file.collector() + ".txt");
    EXPECT_GT(file.size_bytes(), 0u) << file.name();
  }
  EXPECT_EQ(FindFile(manifest, "cap.txt")->size_bytes(), 10'000u / 22 * 22) << "whole lines only";
  EXPECT_EQ(FindCollector(manifest, "test_hang")->bytes(), FindFile(manifest, "hang.txt")->size_bytes());
}

TEST_F(RunnerTest, AFullSpoolIsTriedAgainUntilThereIsRoom) {
  options.collectors = {"test_noise"};
  MountSpool(kSpace64k);
  NewRunner();
  runner->Start(MakeJob(id), {});
  RunUntil([&] { return !runner->problems().empty() && runner->running() == 0; });
  EXPECT_THAT(runner->problems(), ElementsAre(HasSubstr("capture " + id + " waits: ")));
  EXPECT_THAT(runner->problems(), ElementsAre(HasSubstr("No space left on device")));
  EXPECT_EQ(runner->waiting(), 1u);
  EXPECT_EQ(done_calls, 0u);
  EXPECT_THAT(ListFolder(options.spool_dir + "/tmp").value(), IsEmpty())
      << "a failed attempt gives its room back";
  EXPECT_THAT(ListFolder(options.spool_dir + "/sealed").value(), IsEmpty());

  RemountSpool("size=16m");
  RunToEnd();
  EXPECT_EQ(done_calls, 1u);
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_THAT(runner->problems(), IsEmpty());
}

TEST_F(RunnerTest, AReadOnlySpoolIsTriedAgainUntilItIsWritable) {
  MountSpool(kSpace64k);
  RemountSpool(kSpace64k, MS_RDONLY);
  NewRunner();
  runner->Start(MakeJob(id), {});
  RunUntil([&] { return !runner->problems().empty() && runner->running() == 0; });
  EXPECT_THAT(runner->problems(), ElementsAre(HasSubstr("Read-only file system")));
  EXPECT_EQ(done_calls, 0u);

  RemountSpool(kSpace64k);
  RunToEnd();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
}

TEST_F(RunnerTest, ACaptureIsStartedOnce) {
  NewRunner();
  runner->Start(MakeJob(id), {});
  runner->Start(MakeJob(id), {});
  EXPECT_EQ(runner->running() + runner->waiting(), 1u);
  EXPECT_TRUE(runner->Has(id));
  RunToEnd();
  EXPECT_FALSE(runner->Has(id));
  runner->Start(MakeJob(id), {});
  EXPECT_EQ(runner->running() + runner->waiting(), 0u);
  EXPECT_EQ(done_calls, 1u);
}

TEST_F(RunnerTest, AnotherLifeDoesNotSealASecondTime) {
  CaptureOnce();
  const std::string first = sealed[id].manifest().SerializeAsString();
  CaptureOnce();
  EXPECT_EQ(done_calls, 2u);
  EXPECT_EQ(sealed[id].manifest().SerializeAsString(), first);
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_THAT(ListFolder(options.runtime_dir + "/captures").value(), IsEmpty());
}

TEST_F(RunnerTest, MoreThanMaxParallelWaitAndAllGetSealed) {
  options.max_parallel = 2;
  NewRunner();
  for (unsigned n = 1; n <= 7; ++n) runner->Start(MakeJob(IncidentId(n)), {});
  EXPECT_EQ(runner->running(), 2u);
  EXPECT_EQ(runner->waiting(), 5u);
  EXPECT_TRUE(fs::exists(Staging(IncidentId(7)) + "/job.pb")) << "one that waits survives a crash";
  RunToEnd();
  EXPECT_EQ(sealed.size(), 7u);
  for (const auto& [each, capture] : sealed) EXPECT_EQ(CheckSealed(capture.path()), "") << each;
}

TEST_F(RunnerTest, WithoutRoomInStagingACaptureWaits) {
  options.collector_max_bytes = 1u << 20;
  options.staging_max_bytes = 3u << 20;
  MountSpool(kSpace64k);
  RemountSpool(kSpace64k, MS_RDONLY);
  NewRunner();
  runner->Start(MakeJob(IncidentId(1)), {});
  runner->Start(MakeJob(IncidentId(2)), {});
  EXPECT_EQ(runner->running(), 1u);
  EXPECT_THAT(runner->problems(), ElementsAre(HasSubstr("no room in " + options.runtime_dir + "/captures")));
  RemountSpool(kSpace64k);
  RunToEnd();
  EXPECT_EQ(sealed.size(), 2u);
}

TEST_F(RunnerTest, AStagingAreaSmallerThanTheCapsStillCaptures) {
  fs::create_directories(options.runtime_dir);
  ASSERT_EQ(mount("tmpfs", options.runtime_dir.c_str(), "tmpfs", 0, "size=2m"), 0);
  options.collectors = {"test_cap"};
  CaptureOnce();
  ASSERT_TRUE(sealed.contains(id));
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(FindCollector(sealed[id].manifest(), "test_cap")->outcome(), v1::CUT);
  EXPECT_GT(FindFile(sealed[id].manifest(), "cap.txt")->size_bytes(), 500'000u);
}

TEST_F(RunnerTest, WhatIsNoIncidentIdIsRefused) {
  NewRunner();
  runner->Start(MakeJob("../../etc"), {});
  EXPECT_TRUE(given_up.contains("../../etc"));
  EXPECT_FALSE(fs::exists(options.runtime_dir + "/captures"));
}

}  // namespace
}  // namespace ffdc::capture_test
