// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <filesystem>

#include "base/fs.h"
#include "capture/collector.h"
#include "capture/staging.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CaptureFileTest : public CaptureFixture {
 protected:
  CaptureFile& Open(const std::string& name, uint64_t budget_bytes) {
    if (!context) {
      job = StagedJob(IncidentId(1));
      job.set_collector_max_bytes(budget_bytes);
      EXPECT_TRUE(CreateStaging(job));
      context = std::make_unique<CollectContext>(job, "test_ok", std::span<const int>());
    }
    auto file = context->Create(name);
    EXPECT_TRUE(file) << file.error().message;
    return **file;
  }
  std::string Text(const std::string& name) const {
    return ReadFile(job.staging_dir() + "/files/" + name).value_or("(none)");
  }

  v1::CaptureJob job;
  std::unique_ptr<CollectContext> context;
};

TEST_F(CaptureFileTest, WhatFitsIsWrittenWhole) {
  CaptureFile& file = Open("a", 10);
  EXPECT_TRUE(file.Write("01234"));
  EXPECT_TRUE(file.Write("5678\n"));
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a"), "012345678\n");
  EXPECT_FALSE(context->status().files(0).truncated());
  EXPECT_EQ(context->status().result().bytes(), 10u);
}

TEST_F(CaptureFileTest, TheCapCutsTheLineThatDoesNotFit) {
  CaptureFile& file = Open("a", 10);
  EXPECT_TRUE(file.Write("one\n"));
  EXPECT_TRUE(file.Write("two"));
  EXPECT_TRUE(file.Write(" 2"));
  EXPECT_FALSE(file.Write(" and so on\n"));
  EXPECT_FALSE(file.Write("x\n")) << "no line after a gap";
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a"), "one\n");
  EXPECT_TRUE(context->status().files(0).truncated());
}

TEST_F(CaptureFileTest, ALineThatIsInTheFileAlreadyIsCutToo) {
  CaptureFile& file = Open("a", 10);
  EXPECT_TRUE(file.Write("one\ntwo"));
  file.Flush();
  EXPECT_EQ(Text("a"), "one\ntwo");
  EXPECT_FALSE(file.Write("and so on\n"));
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a"), "one\n");
}

TEST_F(CaptureFileTest, DataWithoutLinesIsCutAtTheCap) {
  CaptureFile& file = Open("a", 10);
  EXPECT_FALSE(file.Write("0123456789abcdef"));
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a"), "0123456789");
}

TEST_F(CaptureFileTest, TheFilesOfOneCollectorShareTheCap) {
  CaptureFile& first = Open("a", 10);
  CaptureFile& second = Open("b", 10);
  EXPECT_TRUE(first.Write("one\n"));
  EXPECT_TRUE(second.Write("two\n"));
  EXPECT_FALSE(first.Write("three\n"));
  EXPECT_TRUE(second.Write("4\n")) << "what the cut line did not need is there for others";
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a") + Text("b"), "one\ntwo\n4\n");
}

TEST_F(CaptureFileTest, LongFilesAreFlushedAtLineEnds) {
  CaptureFile& file = Open("a", 1u << 20);
  const std::string line = std::string(1000, 'x') + "\n";
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(file.Write(line));
  const std::string so_far = Text("a");
  EXPECT_GE(so_far.size(), 100'000u);
  EXPECT_EQ(so_far.size() % line.size(), 0u);
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(Text("a").size(), 200 * line.size());
}

TEST_F(CaptureFileTest, AFullStagingAreaIsAnErrorAndTheFileEndsWithALine) {
  fs::create_directories(options.runtime_dir);
  ASSERT_EQ(mount("tmpfs", options.runtime_dir.c_str(), "tmpfs", 0, "size=256k"), 0);
  CaptureFile& file = Open("a", 1u << 20);
  const std::string line = std::string(1000, 'x') + "\n";
  for (int i = 0; i < 1000 && file.Write(line); ++i) {
  }
  const auto finished = context->Finish();
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().message, HasSubstr("No space left on device"));
  EXPECT_TRUE(context->status().files(0).truncated());
  EXPECT_EQ(Text("a").size() % line.size(), 0u);
  EXPECT_GT(Text("a").size(), 100'000u);
  EXPECT_TRUE(WriteStatus(job.staging_dir(), context->status())) << "there is room left to say so";
}

TEST_F(CaptureFileTest, NamesAreOnePlainComponent) {
  Open("a", 10);
  for (const char* name : {"", ".", "..", ".hidden", "a/b", "/etc/passwd", "a\nb", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(context->Create(name)) << name;
  }
  EXPECT_FALSE(context->Create(std::string(300, 'a')));
  EXPECT_FALSE(context->Create("a")) << "there already";
  EXPECT_TRUE(context->Create("a-b_c.d+e"));
  ASSERT_TRUE(context->Finish());
  EXPECT_EQ(context->status().files_size(), 2);
}

TEST_F(CaptureFileTest, CollectorsAreSortedByName) {
  const auto& all = Collectors();
  EXPECT_TRUE(
      std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  EXPECT_GE(all.size(), 9u);
}

}  // namespace
}  // namespace ffdc::capture_test
