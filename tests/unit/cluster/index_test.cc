// SPDX-License-Identifier: Apache-2.0
#include "cluster/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>

#include "base/fs.h"
#include "base/mem_file.h"
#include "base/uuid.h"
#include "fakes/crash.h"
#include "fakes/dispatch.h"
#include "fakes/hanging_launcher.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class IndexTest : public testing::Test {
 protected:
  void SetUp() override { Start(IndexTasks()); }

  void Start(WorkerTasks tasks) {
    index_.reset();
    launcher_.reset();
    auto launcher = Launcher::Start(std::move(tasks));
    ASSERT_TRUE(launcher) << launcher.error().message;
    launcher_ = std::move(*launcher);
    Restart();
  }

  // A new life of the agent.
  void Restart() { index_ = IncidentIndex::Create(path_, *launcher_); }

  std::vector<v1::Incident> Load() {
    auto incidents = index_->Load();
    EXPECT_TRUE(incidents) << incidents.error().message;
    return incidents ? std::move(*incidents) : std::vector<v1::Incident>();
  }

  // Dispatches until no worker runs.
  void Settle() {
    while (launcher_->running() != 0) DispatchOnce(*launcher_);
  }

  void Write() {
    index_->Flush();
    Settle();
  }

  v1::Incident Make(int second, const std::string& summary = "") {
    v1::Incident incident;
    incident.set_id(ids_.Next());
    incident.mutable_opened_at()->set_seconds(second);
    incident.set_summary(summary);
    return incident;
  }

  TempDir dir_;
  std::string path_ = dir_ / "state/index.db";
  UuidGenerator ids_{SystemClock()};
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<IncidentIndex> index_;
};

TEST_F(IndexTest, StartsEmpty) {
  EXPECT_THAT(Load(), IsEmpty());
  EXPECT_EQ(index_->problem(), "");
}

TEST_F(IndexTest, KeepsTwoThousandIncidentsOldestFirst) {
  ASSERT_THAT(Load(), IsEmpty());
  const std::string long_text(3000, 'x');
  for (int i = 0; i < 2000; ++i) index_->Put(Make(2000 - i, long_text + std::to_string(i)));
  EXPECT_EQ(index_->pending(), 2000u);
  Write();
  EXPECT_EQ(index_->pending(), 0u);
  Restart();
  const auto incidents = Load();
  ASSERT_EQ(incidents.size(), 2000u);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(incidents[i].opened_at().seconds(), i + 1);
    EXPECT_EQ(incidents[i].summary(), long_text + std::to_string(1999 - i));
  }
}

TEST_F(IndexTest, TakesAnIncidentLongerThanALaunchersPacket) {
  index_->Put(Make(1, std::string(3u << 20, 'y')));
  Write();
  EXPECT_EQ(index_->problem(), "");
  Restart();
  ASSERT_EQ(Load().size(), 1u);
}

TEST_F(IndexTest, TheLastChangeOfAnIncidentWins) {
  auto incident = Make(1, "first");
  index_->Put(incident);
  incident.set_summary("second");
  index_->Put(incident);
  EXPECT_EQ(index_->pending(), 1u);
  index_->Flush();  // "second" is with the worker
  incident.set_summary("third");
  index_->Put(incident);
  const auto gone = Make(2);
  index_->Put(gone);
  index_->Delete(gone.id());
  Settle();
  Write();
  Restart();
  const auto incidents = Load();
  ASSERT_EQ(incidents.size(), 1u);
  EXPECT_EQ(incidents[0].summary(), "third");
  index_->Delete(incident.id());
  Write();
  Restart();
  EXPECT_THAT(Load(), IsEmpty());
}

TEST_F(IndexTest, WhatIsNoDatabaseIsSetAsideAndNamed) {
  ASSERT_TRUE(MakeDirs(dir_ / "state"));
  ASSERT_TRUE(WriteFile(path_, std::string(8192, 'z')));
  EXPECT_THAT(Load(), IsEmpty());
  EXPECT_THAT(index_->problem(), HasSubstr("was damaged: set aside as " + path_ + ".damaged-"));
  index_->Put(Make(1));
  Write();
  EXPECT_THAT(index_->problem(), HasSubstr("set aside"));  // a person has not seen it yet
  Restart();
  EXPECT_EQ(Load().size(), 1u);
  EXPECT_EQ(index_->problem(), "");
}

// Overwrites the pages in the second half of the file.
void Damage(const std::string& path) {
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(size / 2);
  const std::string rubbish(static_cast<size_t>(size - size / 2), '\xa5');
  file.write(rubbish.data(), static_cast<std::streamsize>(rubbish.size()));
}

TEST_F(IndexTest, SavesWhatCanBeReadOfADamagedIndex) {
  for (int i = 0; i < 400; ++i) index_->Put(Make(i + 1, std::string(2000, 'x')));
  Write();
  Damage(path_);
  Restart();
  const auto incidents = Load();
  EXPECT_GT(incidents.size(), 20u);
  EXPECT_LT(incidents.size(), 400u);
  EXPECT_THAT(index_->problem(), HasSubstr(std::to_string(incidents.size()) + " incidents could be read"));
  for (const auto& incident : incidents) EXPECT_EQ(incident.summary().size(), 2000u);
  Restart();
  EXPECT_EQ(Load().size(), incidents.size());
  EXPECT_EQ(index_->problem(), "");
}

TEST_F(IndexTest, DamageFoundWhileWritingLosesNoChange) {
  ASSERT_TRUE(MakeDirs(dir_ / "state"));
  ASSERT_TRUE(WriteFile(path_, std::string(8192, 'z')));
  index_->Put(Make(1));
  Write();
  EXPECT_EQ(index_->pending(), 0u);
  EXPECT_THAT(index_->problem(), HasSubstr("set aside"));
  Restart();
  EXPECT_EQ(Load().size(), 1u);
}

TEST_F(IndexTest, RefusesTheIndexOfANewerVersion) {
  ASSERT_THAT(Load(), IsEmpty());
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  Restart();
  const auto incidents = index_->Load();
  ASSERT_FALSE(incidents);
  EXPECT_THAT(incidents.error().message, HasSubstr("written by a newer ffdcd (schema 99; this one knows 1)"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(IndexTest, KeepsChangesThatCouldNotBeWrittenAndSaysWhy) {
  ASSERT_TRUE(WriteFile(dir_ / "state", "a file where the folder should be"));
  index_->Put(Make(1));
  Write();
  EXPECT_EQ(index_->pending(), 1u);
  EXPECT_THAT(index_->problem(), HasSubstr(path_));
  EXPECT_THAT(index_->problem(), HasSubstr("Not a directory"));
  ASSERT_TRUE(RemoveAll(dir_ / "state"));
  while (index_->pending() != 0) Write();  // once the pause is over
  EXPECT_EQ(index_->problem(), "");
  Restart();
  EXPECT_EQ(Load().size(), 1u);
}

TEST_F(IndexTest, AWriterThatHangsIsNotJoinedByAnotherUntilItEnds) {
  HangingLauncher hanging(*launcher_);
  index_ = IncidentIndex::Create(path_, hanging);
  index_->Put(Make(1));
  for (int i = 0; i < 100; ++i) {
    index_->Flush();
    hanging.Dispatch();
  }
  EXPECT_EQ(hanging.started(), 1u);
  EXPECT_EQ(index_->pending(), 1u);
  EXPECT_THAT(index_->problem(), HasSubstr("hangs in the kernel"));
  hanging.End();
  Write();  // at once: no pause is worth more than the end of what hung
  EXPECT_EQ(index_->pending(), 0u);
  EXPECT_EQ(index_->problem(), "");
  EXPECT_EQ(Load().size(), 1u);
  index_.reset();
}

TEST_F(IndexTest, ACrashLeavesAllOfABatchOrNothing) {
  index_->Put(Make(1, "before"));
  Write();
  v1::IndexBatch batch;
  batch.set_path(path_);
  for (int i = 2; i < 100; ++i) *batch.add_upserts() = Make(i);
  const auto apply = [&batch] {
    const auto argument = MemFile(batch);
    const int fds[] = {argument->get()};
    [[maybe_unused]] const auto result = IndexTasks()["index.apply"]("", fds);
  };
  ASSERT_TRUE(CrashesAt("index.before_commit", apply));
  Restart();
  EXPECT_EQ(Load().size(), 1u);
  ASSERT_TRUE(CrashesAt("index.committed", apply));
  Restart();
  EXPECT_EQ(Load().size(), 99u);
  EXPECT_EQ(index_->problem(), "");
}

TEST_F(IndexTest, AWorkerThatEndsAfterTheIndexDidIsNoHarm) {
  index_->Put(Make(1));
  index_->Flush();
  index_.reset();
  Settle();
}

}  // namespace
}  // namespace ffdc
