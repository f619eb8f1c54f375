// SPDX-License-Identifier: Apache-2.0
// Staging folders and spools as a crash at each moment leaves them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include <filesystem>

#include "base/fd.h"
#include "base/fs.h"
#include "capture/seal.h"
#include "capture/staging.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecoverTest : public CaptureFixture {
 protected:
  RecoverTest() { options.collectors = {"test_noise", "test_ok"}; }

  void Stage() { ASSERT_TRUE(CreateStaging(StagedJob(id))); }
  void StageFile(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFile(Staging(id) + "/files/" + name, text));
  }
  static v1::CollectorStatus StatusWithFile(const std::string& collector, const std::string& file) {
    v1::CollectorStatus status;
    status.mutable_result()->set_name(collector);
    status.add_files()->set_name(file);
    status.mutable_files(0)->set_collector(collector);
    return status;
  }
  void StageEnded(const std::string& collector, const std::string& file) {
    StageFile(file, "text of " + collector + "\n");
    v1::CollectorStatus status = StatusWithFile(collector, file);
    status.mutable_result()->set_outcome(v1::OK);
    ASSERT_TRUE(WriteStatus(Staging(id), status));
  }
  void Recover() {
    NewRunner();
    runner->Recover();
    RunToEnd();
    RunUntil([] { return TestLauncher().running() == 0; });
    EXPECT_FALSE(fs::exists(Staging(id)));
    EXPECT_THAT(ListFolder(options.spool_dir + "/tmp").value(), IsEmpty());
  }
  v1::CollectorOutcome Outcome(const std::string& collector) {
    const v1::CollectorResult* result = FindCollector(sealed[id].manifest(), collector);
    return result == nullptr ? v1::COLLECTOR_OUTCOME_UNSPECIFIED : result->outcome();
  }
  v1::SealArgs SealArgs() const {
    v1::SealArgs args;
    args.set_staging_dir(Staging(id));
    args.set_spool_dir(options.spool_dir);
    return args;
  }
  // Sealed by hand, and its staging folder put back as if the seal had died before it could go.
  void SealAndStageAgain() {
    Stage();
    auto done = SealCapture(SealArgs());
    ASSERT_TRUE(done) << done.error().message;
    Stage();
  }

  std::string id = IncidentId(42);
};

TEST_F(RecoverTest, NothingToDo) { Recover(); }

TEST_F(RecoverTest, AFolderWithoutAJobIsDiscarded) {
  fs::create_directories(Staging(id) + "/files");
  ASSERT_TRUE(WriteFile(Staging(id) + "/files/x", "x"));
  ASSERT_TRUE(WriteFile(Staging(id) + "/job.pb.tmp", "half a jo"));
  Recover();
  EXPECT_EQ(done_calls, 0u);
  EXPECT_FALSE(fs::exists(Sealed(id)));
}

TEST_F(RecoverTest, AJobAloneIsSealedWithEveryCollectorInterrupted) {
  Stage();
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(Outcome("test_ok"), v1::INTERRUPTED);
  EXPECT_EQ(Outcome("test_noise"), v1::INTERRUPTED);
  EXPECT_NE(FindLoss(sealed[id].manifest(), "collector.test_ok.interrupted"), nullptr);
  EXPECT_THAT(FindCollector(sealed[id].manifest(), "test_ok")->error(), HasSubstr("agent ended"));
}

TEST_F(RecoverTest, WhatWasCollectedIsKept) {
  Stage();
  StageEnded("test_ok", "ok.txt");
  StageFile("noise.bin", "half of it");
  v1::CollectorStatus begun = StatusWithFile("test_noise", "noise.bin");
  ASSERT_TRUE(WritePartialStatus(Staging(id), begun));
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(Outcome("test_ok"), v1::OK);
  EXPECT_EQ(Outcome("test_noise"), v1::INTERRUPTED);
  const v1::Manifest& manifest = sealed[id].manifest();
  EXPECT_FALSE(FindFile(manifest, "ok.txt")->truncated());
  EXPECT_TRUE(FindFile(manifest, "noise.bin")->truncated());
  EXPECT_EQ(FindFile(manifest, "noise.bin")->collector(), "test_noise");
  EXPECT_EQ(FindCollector(manifest, "test_noise")->bytes(), 10u);
}

TEST_F(RecoverTest, ADamagedStatusCountsAsInterrupted) {
  Stage();
  StageEnded("test_ok", "ok.txt");
  ASSERT_TRUE(WriteFile(Staging(id) + "/status/test_ok.pb", "\xff\xff garbage"));
  Recover();
  EXPECT_EQ(Outcome("test_ok"), v1::INTERRUPTED);
  EXPECT_NE(FindFile(sealed[id].manifest(), "ok.txt"), nullptr);
}

TEST_F(RecoverTest, AFileThatIsGoneIsALoss) {
  Stage();
  StageEnded("test_ok", "ok.txt");
  fs::remove(Staging(id) + "/files/ok.txt");
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_THAT(FindLoss(sealed[id].manifest(), "capture.file_missing")->detail(), HasSubstr("ok.txt"));
}

TEST_F(RecoverTest, OnlyRegularFilesWithPlainNamesAreTaken) {
  Stage();
  StageEnded("test_ok", "ok.txt");
  StageFile(".hidden", "x");
  fs::create_symlink("/etc/shadow", Staging(id) + "/files/link");
  fs::create_directory(Staging(id) + "/files/folder");
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(sealed[id].manifest().files_size(), 1);
  EXPECT_EQ(FindLoss(sealed[id].manifest(), "capture.file_skipped")->count(), 3u);
}

TEST_F(RecoverTest, TheJobDoesNotSayWhereThingsLie) {
  v1::CaptureJob job = StagedJob(id);
  ASSERT_TRUE(CreateStaging(job));
  job.set_staging_dir("/etc");
  job.set_spool_dir(root + "/elsewhere");
  ASSERT_TRUE(WriteFile(Staging(id) + "/job.pb", job.SerializeAsString()));
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_FALSE(fs::exists(root + "/elsewhere"));
}

TEST_F(RecoverTest, ADamagedJobIsGivenUpAloud) {
  Stage();
  ASSERT_TRUE(WriteFile(Staging(id) + "/job.pb", "\xff"));
  Recover();
  EXPECT_THAT(given_up[id], HasSubstr("damaged"));
}

TEST_F(RecoverTest, AJobOfAnotherIncidentIsGivenUpAloud) {
  Stage();
  ASSERT_TRUE(WriteFile(Staging(id) + "/job.pb", MakeJob(IncidentId(43)).SerializeAsString()));
  Recover();
  EXPECT_THAT(given_up[id], HasSubstr(IncidentId(43)));
}

TEST_F(RecoverTest, AHalfWrittenCaptureIsWrittenAnew) {
  Stage();
  StageEnded("test_ok", "ok.txt");
  fs::create_directories(options.spool_dir + "/tmp/" + id + ".aaaaaa");
  ASSERT_TRUE(WriteFile(options.spool_dir + "/tmp/" + id + ".aaaaaa/capture.tar.zst", "half"));
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
}

TEST_F(RecoverTest, ACrashJustBeforeTheRenameSealsAnew) {
  Stage();
  fs::create_directories(options.spool_dir + "/tmp/" + id + ".aaaaaa");
  ASSERT_TRUE(WriteFile(Staging(id) + "/sealing", id + ".aaaaaa"));
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
}

TEST_F(RecoverTest, ACrashJustAfterTheRenameKeepsWhatIsSealed) {
  SealAndStageAgain();
  const auto before = Sha256File(Sealed(id) + "/manifest.json");
  StageEnded("test_ok", "ok.txt");
  Recover();
  EXPECT_EQ(done_calls, 1u);
  EXPECT_EQ(sealed[id].path(), Sealed(id));
  EXPECT_EQ(Sha256File(Sealed(id) + "/manifest.json").value(), before.value());
}

TEST_F(RecoverTest, WhatTheStoreHasTakenIsNotSealedASecondTime) {
  SealAndStageAgain();
  ASSERT_TRUE(WriteFile(Staging(id) + "/sealing", id + ".aaaaaa"));
  fs::remove_all(Sealed(id));
  Recover();
  EXPECT_EQ(done_calls, 0u);
  EXPECT_FALSE(fs::exists(Sealed(id)));
}

TEST_F(RecoverTest, ADamagedCaptureInTheSpoolIsReplaced) {
  SealAndStageAgain();
  fs::resize_file(Sealed(id) + "/capture.tar.zst", 5);
  StageEnded("test_ok", "ok.txt");
  Recover();
  EXPECT_EQ(CheckSealed(Sealed(id)), "");
  EXPECT_EQ(Outcome("test_ok"), v1::OK);
}

TEST_F(RecoverTest, LeftoversInTheSpoolAreRemoved) {
  fs::create_directories(options.spool_dir + "/tmp/" + IncidentId(7) + ".aaaaaa");
  fs::create_directories(options.spool_dir + "/tmp/" + IncidentId(8) + ".damaged");
  Recover();
}

TEST_F(RecoverTest, WhatOthersHaveInTheSpoolsTmpIsTheirs) {
  const std::string other = options.spool_dir + "/tmp/ship-" + IncidentId(7) + ".abc";
  fs::create_directories(other);
  NewRunner();
  runner->Recover();
  RunUntil([] { return TestLauncher().running() == 0; });
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(RecoverTest, ASealThatHangsIsNotJoinedByASecondOne) {
  Stage();
  const Fd hanging(open((Staging(id) + "/sealing").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  ASSERT_EQ(flock(hanging.get(), LOCK_EX), 0);
  const auto refused = SealCapture(SealArgs());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("still hangs"));
  EXPECT_FALSE(fs::exists(options.spool_dir));
}

TEST_F(RecoverTest, AStatusTheAgentCouldNotWriteReachesTheSeal) {
  Stage();
  v1::SealArgs args = SealArgs();
  v1::CollectorResult& result = *args.add_statuses()->mutable_result();
  result.set_name("test_ok");
  result.set_outcome(v1::ABANDONED);
  const auto done = SealCapture(args);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(FindCollector(done->manifest(), "test_ok")->outcome(), v1::ABANDONED);
}

}  // namespace
}  // namespace ffdc::capture_test
