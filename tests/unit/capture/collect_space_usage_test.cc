// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "capture/space_usage.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

constexpr size_t kMiB = 1u << 20;

class SpaceUsageTest : public CollectTest {
 protected:
  SpaceUsageTest() {
    roots_.proc = "/proc";
    job_.mutable_manifest()->set_node("node-a");
    PutBytes("big/deep/largest", 3 * kMiB);
    PutBytes("big/other", 2 * kMiB);
    PutBytes("small/file", kMiB);
    PutBytes("here", 4096);
  }
  void PutBytes(const std::string& name, size_t bytes) const {
    const auto path = full_ / name;
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(WriteFile(path, std::string(bytes, 'x')));
  }
  void AddEvent(const std::string& kind, const std::string& node) {
    v1::Event& event = *job_.mutable_incident()->add_events();
    event.set_kind(kind);
    event.set_node(node);
    event.mutable_subject()->set_type("filesystem");
    event.mutable_subject()->set_name(full_.string());
  }
  [[nodiscard]] Result<> Collect() {
    return Run([&](CollectContext& context) { return CollectSpaceUsage(context, roots_); });
  }
  // Paths of the lines of that kind, in their order.
  [[nodiscard]] std::vector<std::string> Paths(const std::string& kind) const {
    std::vector<std::string> paths;
    for (const rapidjson::Document& line : Lines("space-usage.jsonl"))
      if (line["kind"].GetString() == kind && line.HasMember("path"))
        paths.emplace_back(line["path"].GetString());
    return paths;
  }
  [[nodiscard]] SpaceWalk Walk(const std::set<std::string>& mount_points, WalkBudget budget = {}) const {
    return WalkSpace(full_.string(), mount_points, 0, budget);
  }

  TempDir memory_{TempDir::MemoryParent()};  // a filesystem of its own kind: no other process's files
  std::filesystem::path full_ = memory_.path();
};

TEST_F(SpaceUsageTest, NamesTheLargestFoldersAndFiles) {
  AddEvent("resource.threshold", "node-a");
  ASSERT_TRUE(Collect());
  const std::string root = full_.string();
  EXPECT_EQ(Paths("file"), (std::vector<std::string>{root + "/big/deep/largest", root + "/big/other",
                                                     root + "/small/file", root + "/here"}));
  EXPECT_EQ(Paths("recent_file"), Paths("file"));
  const auto folders = Paths("folder");
  ASSERT_EQ(folders.size(), 3u);
  EXPECT_EQ(folders[0], root + "/big");
  EXPECT_EQ(folders[1], root + "/small");
  EXPECT_EQ(FindLoss("space_usage.cut"), nullptr);
}

TEST_F(SpaceUsageTest, NamesWhoHoldsADeletedFile) {
  const std::string path = (full_ / "gone").string();
  PutBytes("gone", 5 * kMiB);
  const Fd held(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(held.valid());
  ASSERT_EQ(unlink(path.c_str()), 0);
  AddEvent("resource.threshold", "node-a");
  ASSERT_TRUE(Collect());
  bool found = false;
  for (const rapidjson::Document& line : Lines("space-usage.jsonl")) {
    if (line["kind"].GetString() != std::string("deleted_open_file") || line["path"].GetString() != path)
      continue;
    found = true;
    EXPECT_EQ(line["pid"].GetUint(), static_cast<unsigned>(getpid()));
    EXPECT_EQ(line["fd"].GetUint(), static_cast<unsigned>(held.get()));
    EXPECT_GE(line["bytes"].GetUint64(), 5 * kMiB);
  }
  EXPECT_TRUE(found);
}

TEST_F(SpaceUsageTest, OnlyForIncidentsOfItsOwnNodeThatAreAboutRoom) {
  AddEvent("io.error", "node-a");
  AddEvent("resource.threshold", "node-b");
  ASSERT_TRUE(Collect());
  EXPECT_EQ(context_->status().files_size(), 0);
}

TEST_F(SpaceUsageTest, WhatIsMountedBelowIsNotTouched) {
  const SpaceWalk walk = Walk({(full_ / "big").string()});
  EXPECT_EQ(walk.folders.count("big"), 0u);
  EXPECT_EQ(walk.folders.count("small"), 1u);
}

TEST_F(SpaceUsageTest, TheBudgetEndsTheWalkAndSaysSo) {
  const SpaceWalk walk = Walk({}, {.max_entries = 3});
  EXPECT_TRUE(walk.cut);
  EXPECT_EQ(walk.entries, 3u);
  EXPECT_FALSE(Walk({}).cut);
  EXPECT_TRUE(Walk({}, {.time = std::chrono::milliseconds(0)}).cut);
}

TEST_F(SpaceUsageTest, AFileOfSeveralNamesCountsOnce) {
  std::filesystem::create_hard_link(full_ / "big/other", full_ / "small/again");
  uint64_t bytes = 0;
  for (const auto& [name, folder] : Walk({}).folders) bytes += folder.bytes;
  EXPECT_LT(bytes, 7 * kMiB);
}

TEST_F(SpaceUsageTest, FilesystemsOfANetworkAreNotWalked) {
  roots_.proc = root_ / "proc";
  Put("proc/self/mountinfo", "1 0 0:50 / / rw - nfs4 srv:/ rw\n");
  AddEvent("resource.threshold", "node-a");
  ASSERT_TRUE(Collect());
  ASSERT_NE(FindLoss("space_usage.network"), nullptr);
  EXPECT_TRUE(Output("space-usage.jsonl").empty());
}

}  // namespace
}  // namespace ffdc
