// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fs.h"
#include "base/mem_file.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::Member MakeMember(const std::string& node, const std::string& address = "10.0.0.1:7420") {
  v1::Member member;
  member.set_node(node);
  member.set_address(address);
  return member;
}

class MembershipTest : public testing::Test {
 protected:
  int changes_ = 0;
  Membership membership_{"a", [this] { ++changes_; }};
};

TEST_F(MembershipTest, TakesMembersLeasesAndPrimaryFromTheDb) {
  membership_.Snapshot({{"members/a", MakeMember("a").SerializeAsString()},
                        {"members/b", MakeMember("b").SerializeAsString()},
                        {"alive/b", "b"},
                        {"primary", "b"},
                        {"something/else", "x"}});
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(membership_.members().size(), 2u);
  EXPECT_THAT(membership_.alive(), ElementsAre("b"));
  EXPECT_EQ(membership_.primary(), "b");
  membership_.Changed("alive/b", std::nullopt);
  membership_.Changed("primary", std::nullopt);
  EXPECT_TRUE(membership_.alive().empty());
  EXPECT_EQ(membership_.primary(), "");
  EXPECT_EQ(changes_, 1) << "the members are the same";
  membership_.Changed("members/b", std::nullopt);
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(membership_.Find("b"), nullptr);
}

TEST_F(MembershipTest, ASnapshotReplacesWhatWasThere) {
  v1::ClusterCopy copy;
  *copy.add_members() = MakeMember("gone");
  membership_.UseCopy(copy);
  EXPECT_NE(membership_.Find("gone"), nullptr);
  membership_.Snapshot({{"members/b", MakeMember("b").SerializeAsString()}});
  EXPECT_EQ(membership_.Find("gone"), nullptr);
  const int before = changes_;
  membership_.Snapshot({{"members/b", MakeMember("b").SerializeAsString()}});
  EXPECT_EQ(changes_, before);
}

TEST_F(MembershipTest, EntriesThatMakeNoSenseAreCountedAndLeftOut) {
  membership_.Snapshot({{"members/x", "garbage"},
                        {"members/y", MakeMember("z").SerializeAsString()},
                        {"members/w", MakeMember("w", "somewhere").SerializeAsString()}});
  EXPECT_TRUE(membership_.members().empty());
  EXPECT_EQ(membership_.left_out(), 3u);
}

TEST(ClusterCopyTest, IsSavedWholeAndLoaded) {
  const TempDir folder;
  const WorkerTasks tasks = ClusterCopyTasks();
  v1::ClusterCopyArgs args;
  args.set_path((folder.path() / "cluster.pb").string());
  *args.mutable_copy()->add_members() = MakeMember("b");
  const auto content = MemFile(args);
  ASSERT_TRUE(content);
  const int in = content->get();
  ASSERT_TRUE(tasks.at("cluster.save")("", std::span(&in, 1)));
  const auto loaded = MemFile();
  ASSERT_TRUE(loaded);
  const int out = loaded->get();
  ASSERT_TRUE(tasks.at("cluster.load")(args.path(), std::span(&out, 1)));
  v1::ClusterCopy copy;
  ASSERT_TRUE(ReadMessage(out, &copy));
  ASSERT_EQ(copy.members_size(), 1);
  EXPECT_EQ(copy.members(0).node(), "b");
}

TEST(ClusterCopyTest, MissingIsEmptyAndDamagedIsSaid) {
  const TempDir folder;
  const WorkerTasks tasks = ClusterCopyTasks();
  const auto loaded = MemFile();
  ASSERT_TRUE(loaded);
  const int out = loaded->get();
  EXPECT_TRUE(tasks.at("cluster.load")((folder.path() / "none").string(), std::span(&out, 1)));
  ASSERT_TRUE(WriteFile(folder.path() / "bad", "\xff\xff\xff"));
  const auto bad = tasks.at("cluster.load")((folder.path() / "bad").string(), std::span(&out, 1));
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("damaged"));
}

}  // namespace
}  // namespace ffdc
