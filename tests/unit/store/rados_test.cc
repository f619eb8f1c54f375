// SPDX-License-Identifier: Apache-2.0
// The driver for Ceph where a real cluster cannot be brought to: a try that ended anywhere, OSDs that
// lie, two writers at once. tests/e2e/test_rados.py has the real one.
#include <gmock/gmock.h>

#include "base/fs.h"
#include "base/mem_file.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/store_url.h"
#include "base/uuid.h"
#include "fakes/fake_ceph_pool.h"
#include "fakes/sealed_capture.h"
#include "fakes/temp_dir.h"
#include "store/ceph_text.h"
#include "store/dir_driver.h"
#include "store/file_source.h"
#include "store/migrate.h"
#include "store/rados_driver.h"
#include "store/small_files.h"

namespace ffdc {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr size_t kMiB = 1u << 20;

class Sum final : public Transfer {
 public:
  void Sent(uint64_t bytes) override { total += bytes; }
  uint64_t total = 0;
};

class RadosDriverTest : public testing::Test {
 protected:
  // Two whole pieces and one byte.
  void SetUp() override {
    archive_.resize(128 * kMiB + 1);
    for (size_t i = 0; i < archive_.size(); i += 4096) archive_[i] = static_cast<char>(i / 4096 % 251);
    manifest_ = Manifest(archive_);
  }

  v1::Manifest Manifest(const std::string& archive, const std::string& name = kArchiveFile) {
    EXPECT_TRUE(WriteFile(dir_.path() / name, archive));
    EXPECT_TRUE(WriteFile(dir_.path() / kManifestFile, "{the manifest}"));
    v1::Manifest manifest;
    manifest.set_incident_id(id_);
    manifest.set_node("node1");
    manifest.set_archive(name);
    manifest.set_archive_bytes(archive.size());
    manifest.set_archive_sha256(Sha256File(dir_.path() / name).value());
    manifest.set_archive_xxh3_128(Xxh3Of(archive));
    return manifest;
  }

  Result<> Put() {
    Sum sum;
    auto put = driver_->PutCapture(dir_.path(), manifest_, sum);
    sent_ = sum.total;
    return put;
  }
  std::string Stored() {
    auto source = driver_->Open(id_, "node1", kArchiveFile);
    return source ? ReadText(**source, 1u << 30).value() : source.error().message;
  }
  std::unique_ptr<StoreDriver> DriverOf(const std::string& node) {
    return MakeRadosDriver(pool_, ParseRadosUrl("rados://dump").value(), "lab", node);
  }
  std::vector<std::string> Nodes() { return driver_->Nodes(id_).value(); }

  TempDir dir_;
  UuidGenerator ids_{SystemClock()};
  std::string id_ = ids_.Next();
  std::string archive_;
  v1::Manifest manifest_;
  std::shared_ptr<FakeCephPool> pool_ = std::make_shared<FakeCephPool>();
  std::unique_ptr<StoreDriver> driver_ =
      MakeRadosDriver(pool_, ParseRadosUrl("rados://dump").value(), "lab", "node1");
  uint64_t sent_ = 0;
};

TEST_F(RadosDriverTest, StoresACaptureAsARowOfObjectsAndGivesItBack) {
  ASSERT_TRUE(driver_->Prepare());
  EXPECT_THAT(Nodes(), IsEmpty());
  ASSERT_TRUE(Put());
  EXPECT_EQ(sent_, archive_.size());
  EXPECT_THAT(Nodes(), ElementsAre("node1"));
  EXPECT_TRUE(Stored() == archive_);
  EXPECT_THAT(pool_->objects, SizeIs(4));  // three pieces and the manifest
  for (const auto& [name, data] : pool_->objects) EXPECT_LE(data.size(), 64 * kMiB) << name;
  const auto list = driver_->List().value();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].incident_id, id_);
  EXPECT_EQ(list[0].bytes, archive_.size() + 14);
  EXPECT_EQ(Put().error().code, EEXIST);
  EXPECT_EQ(driver_->Open(id_, "node2", kArchiveFile).error().code, ENOENT);
  EXPECT_EQ(driver_->Open(id_, {}, kIncidentFile).error().code, ENOENT);
}

TEST_F(RadosDriverTest, AnEncryptedCaptureIsARowOfObjectsToo) {
  manifest_ = Manifest(archive_, kEncryptedArchiveFile);
  ASSERT_TRUE(Put());
  EXPECT_THAT(pool_->objects, SizeIs(4));
  const auto source = driver_->Open(id_, "node1", kEncryptedArchiveFile);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_TRUE(ReadText(**source, 1u << 30).value() == archive_);
  EXPECT_EQ(driver_->Open(id_, "node1", kArchiveFile).error().code, ENOENT);
  ASSERT_TRUE(driver_->Remove(id_, "node1"));
  EXPECT_THAT(pool_->objects, IsEmpty());
}

TEST_F(RadosDriverTest, GoesOnWhereAFormerTryEnded) {
  pool_->on_write = [&](const std::string&) {
    if (pool_->writes == 20) pool_->write_error = ETIMEDOUT;
  };
  const auto put = Put();
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("does not answer"));
  EXPECT_THAT(Nodes(), IsEmpty());
  EXPECT_THAT(driver_->List().value(), IsEmpty());
  ASSERT_TRUE(driver_->RemoveHalfUploads(true, {id_}));  // what will be continued stays
  ASSERT_TRUE(driver_->RemoveHalfUploads(false, {}));
  ASSERT_TRUE(DriverOf("node2")->RemoveHalfUploads(true, {}));
  pool_->write_error = 0;
  pool_->writes = 0;
  ASSERT_TRUE(Put());
  EXPECT_EQ(pool_->writes, 33u - 20u);
  EXPECT_EQ(sent_, archive_.size() - 20 * 4 * kMiB);
  EXPECT_TRUE(Stored() == archive_);
}

TEST_F(RadosDriverTest, ReplacesWhatIsLeftOfSomethingElse) {
  ASSERT_TRUE(Put());
  const std::string first = pool_->objects.begin()->first;
  ASSERT_TRUE(driver_->Remove(id_, "node1"));
  EXPECT_THAT(pool_->objects, IsEmpty());
  ASSERT_THAT(first, HasSubstr("capture.tar.zst.000000"));
  pool_->objects[first] = std::string(64 * kMiB, 'x');  // another content
  std::string second = first, third = first, fourth = first;
  second.back() = '1', third.back() = '2', fourth.back() = '3';
  pool_->objects[second] = archive_.substr(64 * kMiB, 32 * kMiB);  // half of the right one
  pool_->objects[third] = std::string(kMiB, 'x');                  // longer than it may be
  pool_->objects[fourth] = "behind the end";
  ASSERT_TRUE(Put());
  EXPECT_TRUE(Stored() == archive_);
  EXPECT_EQ(sent_, archive_.size() - 32 * kMiB);
  EXPECT_FALSE(pool_->objects.contains(fourth));
}

TEST_F(RadosDriverTest, WhatReadsBackWrongIsNotStored) {
  pool_->on_write = [&](const std::string& object) { pool_->objects[object][7] = '!'; };
  const auto put = Put();
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("reads back wrong"));
  EXPECT_EQ(put.error().code, EBADMSG);
  EXPECT_THAT(Nodes(), IsEmpty());
  EXPECT_THAT(pool_->objects, IsEmpty());
  pool_->on_write = {};
  ASSERT_TRUE(Put());
  EXPECT_TRUE(Stored() == archive_);
}

TEST_F(RadosDriverTest, AFileThatIsNotWhatWasSealedIsNotStored) {
  ASSERT_TRUE(WriteFile(dir_.path() / kArchiveFile, "something else"));
  const auto put = Put();
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("is not what was sealed"));
  EXPECT_EQ(put.error().code, EBADMSG);  // the capture in the spool is looked at
  EXPECT_THAT(Nodes(), IsEmpty());
}

TEST_F(RadosDriverTest, OfTwoWritersAtOnceTheLastToBeginWins) {
  auto other = MakeRadosDriver(pool_, ParseRadosUrl("rados://dump").value(), "lab", "node1");
  bool begun = false;
  pool_->on_write = [&](const std::string&) {
    if (std::exchange(begun, true)) return;
    Sum sum;
    EXPECT_TRUE(other->PutCapture(dir_.path(), manifest_, sum));
  };
  EXPECT_THAT(Put().error().message, HasSubstr("another one began"));
  EXPECT_THAT(Nodes(), ElementsAre("node1"));
  EXPECT_TRUE(Stored() == archive_);
}

TEST_F(RadosDriverTest, RemovesAllOfAnIncidentAndTellsHowMuch) {
  ASSERT_TRUE(Put());
  ASSERT_TRUE(driver_->PutIncident(id_, "{}"));
  EXPECT_EQ(ReadText(**driver_->Open(id_, {}, kIncidentFile)).value(), "{}");
  EXPECT_EQ(driver_->Remove(ids_.Next()).value(), 0u);
  EXPECT_EQ(driver_->Remove(id_).value(), archive_.size() + 14);
  EXPECT_THAT(pool_->objects, IsEmpty());
  EXPECT_THAT(driver_->List().value(), IsEmpty());
}

TEST_F(RadosDriverTest, FinishesARemovalAndClearsAnUploadThatNobodyWorksOn) {
  ASSERT_TRUE(Put());
  for (const char* text : {"removing 134217743", "uploading 134217729 1 0123"}) {
    const auto objects = pool_->objects;
    for (auto& [name, entries] : pool_->indexes)
      if (entries.contains(id_ + "/node1")) entries[id_ + "/node1"] = text;
    EXPECT_THAT(Nodes(), IsEmpty());
    ASSERT_TRUE(driver_->RemoveHalfUploads(false, {}));
    EXPECT_THAT(pool_->objects, IsEmpty()) << text;
    ASSERT_TRUE(Put());
  }
}

TEST_F(RadosDriverTest, AHalfUploadOfThisNodeThatNothingContinuesIsCleared) {
  pool_->on_write = [&](const std::string&) { pool_->write_error = ETIMEDOUT; };
  ASSERT_FALSE(Put());
  EXPECT_THAT(pool_->objects, SizeIs(1));
  ASSERT_TRUE(driver_->RemoveHalfUploads(true, {ids_.Next()}));
  EXPECT_THAT(pool_->objects, IsEmpty());
  EXPECT_THAT(pool_->indexes["v1/lab/incidents/" + FormatDate(UuidWallNs(id_))], IsEmpty());
}

TEST_F(RadosDriverTest, AFullPoolCanBeReachedAndIsSaidToBeFull) {
  ASSERT_TRUE(driver_->Prepare());
  pool_->on_write = [&](const std::string&) {
    if (pool_->writes == 20) pool_->write_error = EDQUOT;
  };
  const auto put = Put();
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("full: raise its quota"));
  EXPECT_THAT(pool_->objects, IsEmpty()) << "the room is needed";
  EXPECT_TRUE(driver_->Prepare());
  EXPECT_TRUE(driver_->CheckWriting());
  EXPECT_TRUE(driver_->ClaimName());
  EXPECT_TRUE(driver_->AcquireLease().value()) << "to make room";
  pool_->write_error = ENOSPC;
  EXPECT_THAT(Put().error().message, HasSubstr("full: add OSDs"));
}

TEST_F(RadosDriverTest, IsKnownAgainByItsMarker) {
  EXPECT_EQ(driver_->MarkerId().error().code, ENOENT);
  pool_->is_gone = true;
  const auto gone = driver_->MarkerId();
  EXPECT_EQ(gone.error().code, ESTALE);
  EXPECT_THAT(gone.error().message, HasSubstr("is another one now"));
  pool_->is_gone = false;
  ASSERT_TRUE(driver_->MayInit());
  ASSERT_TRUE(driver_->Init());
  const std::string id = driver_->MarkerId().value();
  EXPECT_TRUE(IsUuid(id));
  ASSERT_TRUE(DriverOf("node2")->Init());
  EXPECT_EQ(DriverOf("node2")->MarkerId().value(), id) << "one that is there stays";
  pool_->objects["v1/lab/store.json"] = "{}";
  EXPECT_THAT(driver_->MarkerId().error().message, HasSubstr("v1/lab/store.json has no id"));
}

TEST_F(RadosDriverTest, IsWrittenToFindOutWhetherItCanBe) {
  ASSERT_TRUE(driver_->CheckWriting());
  EXPECT_THAT(pool_->objects, IsEmpty());
  pool_->write_error = EPERM;
  EXPECT_THAT(driver_->CheckWriting().error().message, HasSubstr("does not let this node write"));
}

TEST_F(RadosDriverTest, OneNodeAtATimeHoldsTheLease) {
  const auto other = DriverOf("node2");
  ASSERT_TRUE(driver_->Prepare());
  EXPECT_TRUE(driver_->AcquireLease().value());
  EXPECT_FALSE(other->AcquireLease().value());
  other->ReleaseLease();  // not its own
  EXPECT_FALSE(other->AcquireLease().value());
  EXPECT_THAT(driver_->List().value(), IsEmpty()) << "it is no day";
  driver_->ReleaseLease();
  EXPECT_TRUE(other->AcquireLease().value());
  // Of a node that died long ago.
  v1::StoreLease dead = NewLease("node2");
  dead.set_until_wall_ns(SystemClock().RealtimeNs() - 3600 * kNsPerSecond);
  pool_->indexes["v1/lab/incidents"]["lease"] = ToJson(dead).value();
  EXPECT_TRUE(driver_->AcquireLease().value());
  other->ReleaseLease();  // another one's by now
  EXPECT_FALSE(other->AcquireLease().value());
}

TEST_F(RadosDriverTest, AnotherAgentOfThisNameIsNoticed) {
  EXPECT_EQ(driver_->ClaimName().value(), "");
  EXPECT_EQ(driver_->ClaimName().value(), "");
  std::string& claim = pool_->indexes["v1/lab/nodes"]["node1"];
  v1::StoreLease other = ParseLease(claim);
  other.set_node("db2");
  other.set_id("11111111-2222-3333-4444-555555555555 4026531836 77 123");
  claim = ToJson(other).value();
  EXPECT_THAT(driver_->ClaimName().value(), AllOf(HasSubstr("two agents have one name"), HasSubstr("db2")));
  EXPECT_EQ(DriverOf("node2")->ClaimName().value(), "");
  other.set_until_wall_ns(SystemClock().RealtimeNs() - 1);
  claim = ToJson(other).value();
  EXPECT_EQ(driver_->ClaimName().value(), "");
}

TEST_F(RadosDriverTest, CapturesMoveFromAFolderAndBack) {
  SealedCaptureOptions options;
  options.incident_id = id_;
  options.cluster = "lab";
  const auto manifest = MakeSealedCapture(dir_ / "spool", options);
  const auto folder = MakeDirDriver(dir_ / "first", "lab", "node1");
  const auto back = MakeDirDriver(dir_ / "second", "lab", "node1");
  Sum sum;
  ASSERT_TRUE(folder->Prepare());
  ASSERT_TRUE(folder->PutCapture((dir_.path() / "spool" / SealedPath(id_)).string(), manifest, sum));
  ASSERT_TRUE(folder->PutIncident(id_, "{}"));
  v1::StoreArgs args;
  args.set_spool_dir(dir_ / "spool");
  args.set_cluster("lab");
  const auto progress = MemFile();
  for (int twice = 0; twice < 2; ++twice) {
    const auto to_pool = MigrateBetween(*folder, *driver_, args, progress->get());
    ASSERT_TRUE(to_pool) << to_pool.error().message;
    const auto to_folder = MigrateBetween(*driver_, *back, args, progress->get());
    ASSERT_TRUE(to_folder) << to_folder.error().message;
  }
  for (auto* driver : {driver_.get(), back.get()}) {
    EXPECT_THAT(driver->Nodes(id_).value(), ElementsAre("node1"));
    EXPECT_EQ(Sha256Of(ReadText(**driver->Open(id_, "node1", kArchiveFile)).value()),
              manifest.archive_sha256());
    EXPECT_EQ(ReadText(**driver->Open(id_, {}, kIncidentFile)).value(), "{}");
  }
  EXPECT_EQ(driver_->List().value()[0].bytes, folder->List().value()[0].bytes);
}

TEST_F(RadosDriverTest, TellsThePoolsSpace) {
  pool_->monitor_answer = R"({"pools":[{"name":"other","stats":{"stored":9}},{"name":"dump","stats":
      {"stored":100,"objects":3,"max_avail":900,"quota_objects":7,"quota_bytes":500,"percent_used":0.1}}]})";
  const auto space = driver_->Space();
  ASSERT_TRUE(space) << space.error().message;
  EXPECT_EQ(space->used_bytes, 100u);
  EXPECT_EQ(space->total_bytes, 1000u);
  EXPECT_EQ(space->quota_bytes, 500u);
  EXPECT_EQ(space->objects, 3u);
  EXPECT_EQ(space->quota_objects, 7u);
  EXPECT_THAT(space->largest_pools, ElementsAre(testing::Pair("dump", 100), testing::Pair("other", 9)));
  EXPECT_EQ(driver_->PoolId().value(), "ceph:f51d/dump");
  for (const char* answer : {"", "[]", "{", R"({"pools":{}})", R"({"pools":[{"name":"dump"}]})",
                             R"({"pools":[{"name":"dump","stats":[]}]})", R"({"pools":[7,{"stats":{}}]})"}) {
    pool_->monitor_answer = answer;
    EXPECT_FALSE(driver_->Space()) << answer;
  }
}

TEST_F(RadosDriverTest, TellsWhereTheMonitorsListen) {
  pool_->monitor_answer = R"json({"epoch":3,"mons":[
      {"name":"a","public_addrs":{"addrvec":[{"type":"v2","addr":"10.0.0.1:3300","nonce":0},
                                             {"type":"v1","addr":"10.0.0.1:6789","nonce":0}]}},
      {"name":"b","public_addrs":{"addrvec":[{"type":"v2","addr":"[fd00::2]:3300","nonce":0}]}},
      {"name":"c","public_addrs":{"addrvec":[{"addr":"(unrecognized address family 0)"},{"addr":7},7]}},
      {"name":"d","addr":"10.0.0.4:6789/0"},7]})json";
  const auto servers = driver_->Servers();
  ASSERT_TRUE(servers) << servers.error().message;
  EXPECT_THAT(*servers, ElementsAre("10.0.0.1:3300", "10.0.0.1:6789", "[fd00::2]:3300"));
  for (const char* answer : {"", "[]", "{", R"({"mons":{}})"}) {
    pool_->monitor_answer = answer;
    EXPECT_FALSE(driver_->Servers()) << answer;
  }
}

TEST(CephTextTest, IndexEntriesAreReadAsTheyAreWritten) {
  for (const char* text : {"stored 17", "uploading 17 1790000000 0123456789abcdef", "removing 0"}) {
    const auto entry = ParseIndexEntry(text);
    ASSERT_TRUE(entry) << text;
    EXPECT_EQ(FormatIndexEntry(*entry), text);
  }
  for (const char* text :
       {"", "stored", "stored ", "stored x", "stored -1", "stored 1 2", "uploading 1", "uploading 1 2",
        "uploading 1 x y", "removing", "gone 1", "stored 99999999999999999999999"})
    EXPECT_FALSE(ParseIndexEntry(text)) << text;
}

TEST(CephTextTest, KeysThatCannotBecomeNamesAreRefused) {
  const std::string id = "01a20788-e5c0-7001-a584-96c06a300cf1";
  EXPECT_EQ(ParseIndexKey(id + "/node1")->node, "node1");
  for (const std::string& text : {id, id + "/", id + "/..", id + "/a/b", std::string("x/node1")})
    EXPECT_FALSE(ParseIndexKey(text)) << text;
}

TEST(RadosUrlTest, IsReadAndChecked) {
  const auto all = ParseRadosUrl("rados://dump/lab.1?conf=/etc/ceph/other.conf&id=agent");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->pool, "dump");
  EXPECT_EQ(all->name_space, "lab.1");
  EXPECT_EQ(all->conf, "/etc/ceph/other.conf");
  EXPECT_EQ(all->id, "agent");
  const auto least = ParseRadosUrl("rados://dump");
  ASSERT_TRUE(least);
  EXPECT_EQ(least->conf, "/etc/ceph/ceph.conf");
  EXPECT_EQ(least->id, "ffdc");
  for (const char* text : {"", "rados:dump", "rados://", "rados:///x", "rados://a/", "rados://a/b/c",
                           "rados://a b", "rados://a?", "rados://a?conf=relative", "rados://a?conf=",
                           "rados://a?id=", "rados://a?id=x&", "rados://a?key=secret", "rados://a?conf=/x y"})
    EXPECT_FALSE(ParseRadosUrl(text)) << text;
}

}  // namespace
}  // namespace ffdc
