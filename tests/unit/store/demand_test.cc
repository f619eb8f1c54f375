// SPDX-License-Identifier: Apache-2.0
// What a person asks for: verify, pull, manifests, removal; and the limits.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>

#include <map>

#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class DemandTest : public StoreTest {
 protected:
  // The same incident, captured by another node, as that one's agent would have stored it.
  void StoreOfOtherNode(const std::string& id) {
    SealedCaptureOptions options;
    options.incident_id = id;
    options.node = "node2";
    MakeSealedCapture(dir_ / "other", options);
    fs::create_directories(Stored(id));
    const fs::path sealed = fs::path(dir_ / "other") / "sealed" / id;
    fs::remove(sealed / "incident.json");
    fs::rename(sealed, Stored(id) / "node2");
  }
  fs::path Archive(const std::string& id) const { return Stored(id) / "node1/capture.tar.zst"; }

  std::map<std::string, std::string> Problems(const std::string& id) {
    const auto report = VerifyNow(id);
    EXPECT_EQ(report.ok(), report.problems().empty());
    std::map<std::string, std::string> problems;
    for (const auto& problem : report.problems()) problems[problem.file()] += problem.problem();
    return problems;
  }

  template <class T>
  Result<T> Wait(const std::function<void(std::function<void(Result<T>)>)>& start) {
    Result<T> result = Fail("never answered");
    bool done = false;
    start([&](Result<T> answer) {
      result = std::move(answer);
      done = true;
    });
    while (!done) {
      shipper_->Tick();
      Dispatch();
    }
    return result;
  }
  Result<std::vector<v1::Manifest>> Manifests(const std::string& id) {
    return Wait<std::vector<v1::Manifest>>([&](auto done) { shipper_->Manifests(id, done); });
  }
  Result<uint64_t> Remove(const std::string& id) {
    return Wait<uint64_t>([&](auto done) { shipper_->Remove(id, done); });
  }
  Result<> PullTo(const std::string& id, const std::string& path) {
    return Wait<void>([&](auto done) {
      shipper_->Pull(id, Fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), done);
    });
  }
};

// Name -> content of a tar.
std::map<std::string, std::string> Untar(const std::string& path) {
  std::map<std::string, std::string> files;
  struct archive* archive = archive_read_new();
  archive_read_support_format_tar(archive);
  EXPECT_EQ(archive_read_open_filename(archive, path.c_str(), 10240), ARCHIVE_OK);
  struct archive_entry* entry = nullptr;
  while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
    std::string data(static_cast<size_t>(archive_entry_size(entry)), '\0');
    EXPECT_EQ(archive_read_data(archive, data.data(), data.size()), static_cast<la_ssize_t>(data.size()));
    files[archive_entry_pathname(entry)] = data;
  }
  archive_read_free(archive);
  return files;
}

TEST_F(DemandTest, VerifiesACaptureInTheStoreAndInTheSpool) {
  const auto stored = Store();
  const auto report = VerifyNow(stored.incident_id());
  EXPECT_TRUE(report.ok()) << report.DebugString();
  EXPECT_EQ(report.files_checked(), 6u);  // incident.json, manifest.json, the archive, three files inside
  EXPECT_GT(report.bytes_checked(), stored.archive_bytes());
  const auto spooled = Seal();  // never enqueued
  EXPECT_TRUE(VerifyNow(spooled.incident_id()).ok());
}

TEST_F(DemandTest, ATruncatedArchiveIsNamed) {
  const auto manifest = Store();
  fs::resize_file(Archive(manifest.incident_id()), manifest.archive_bytes() - 20);
  const auto problems = Problems(manifest.incident_id());
  ASSERT_TRUE(problems.contains("node1/capture.tar.zst"));
  EXPECT_THAT(problems.at("node1/capture.tar.zst"), HasSubstr("size differs: manifest says"));
}

TEST_F(DemandTest, EveryFlippedBitOfTheArchiveIsFound) {
  const auto manifest = Store();
  const fs::path path = Archive(manifest.incident_id());
  const std::string good = ReadFile(path).value();
  for (size_t i = 0; i < good.size(); i += 17) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    ASSERT_TRUE(WriteFile(path, bad));
    const auto problems = Problems(manifest.incident_id());
    ASSERT_TRUE(problems.contains("node1/capture.tar.zst")) << "bit in byte " << i;
    EXPECT_THAT(problems.at("node1/capture.tar.zst"), HasSubstr("SHA-256 differs: manifest says"));
  }
}

// The archive is sound, but it is not the manifest's.
TEST_F(DemandTest, NamesTheFileInsideThatIsWrongMissingOrTooMany) {
  const auto manifest = Store();
  const auto& id = manifest.incident_id();
  WriteCaptureArchive(Archive(id), {{"io-history.jsonl", "{\"op\":\"raed\"}\n"},
                                    {"kernel-log.txt", "shorter"},
                                    {"stranger.txt", "hello"}});
  const auto problems = Problems(id);
  EXPECT_THAT(problems.at("io-history.jsonl inside node1/capture.tar.zst"), StartsWith("SHA-256 differs"));
  EXPECT_THAT(problems.at("kernel-log.txt inside node1/capture.tar.zst"), StartsWith("size differs"));
  EXPECT_THAT(problems.at("stranger.txt inside node1/capture.tar.zst"), StartsWith("is not in the manifest"));
  EXPECT_THAT(problems.at("mounts.txt inside node1/capture.tar.zst"), StartsWith("missing"));
  EXPECT_TRUE(problems.contains("node1/capture.tar.zst"));
}

TEST_F(DemandTest, NamesManifestsAndDescriptionsThatAreMissingOrUnreadable) {
  const auto id = Store().incident_id();
  StoreOfOtherNode(id);
  EXPECT_THAT(Problems(id), IsEmpty());
  ASSERT_TRUE(WriteFile(Stored(id) / "node1/manifest.json", "{"));
  fs::remove(Stored(id) / "node2/capture.tar.zst");
  fs::remove(Stored(id) / "incident.json");
  const auto problems = Problems(id);
  EXPECT_EQ(problems.size(), 3u);
  EXPECT_THAT(problems.at("node1/manifest.json"), HasSubstr("JSON"));
  EXPECT_THAT(problems.at("node2/capture.tar.zst"), HasSubstr("No such file"));
  EXPECT_THAT(problems.at("incident.json"), HasSubstr("No such file"));
}

TEST_F(DemandTest, WhatDoesNotExistIsSaidToBeSo) {
  StartShipper();
  const auto id = ids_.Next();
  const auto manifests = Manifests(id);
  ASSERT_FALSE(manifests);
  EXPECT_EQ(manifests.error().code, ENOENT);
  EXPECT_THAT(manifests.error().message, HasSubstr("has a sealed capture of incident " + id));
  EXPECT_EQ(Remove(id).error().code, ENOENT);
  EXPECT_EQ(PullTo(id, dir_ / "out.tar").error().code, ENOENT);
}

TEST_F(DemandTest, ManifestsComeFromAllNodes) {
  const auto id = Store().incident_id();
  StoreOfOtherNode(id);
  const auto manifests = Manifests(id);
  ASSERT_TRUE(manifests) << manifests.error().message;
  ASSERT_EQ(manifests->size(), 2u);
  EXPECT_EQ((*manifests)[0].node(), "node1");
  EXPECT_EQ((*manifests)[1].node(), "node2");
  EXPECT_EQ((*manifests)[0].files_size(), 3);
}

TEST_F(DemandTest, PullsAllOfAnIncidentAsOneTar) {
  const auto manifest = Store();
  const auto& id = manifest.incident_id();
  StoreOfOtherNode(id);
  ASSERT_TRUE(PullTo(id, dir_ / "out.tar"));
  const auto files = Untar(dir_ / "out.tar");
  std::vector<std::string> names;
  for (const auto& [name, data] : files) names.push_back(name.substr(id.size()));
  EXPECT_THAT(names, ElementsAre("/incident.json", "/node1/capture.tar.zst", "/node1/manifest.json",
                                 "/node2/capture.tar.zst", "/node2/manifest.json", "/timeline.jsonl",
                                 "/timeline.txt"));
  EXPECT_EQ(Sha256Of(files.at(id + "/node1/capture.tar.zst")), manifest.archive_sha256());
}

// The store cannot look inside: all it can do with such a file is keep it as it is, and say so.
TEST_F(DemandTest, AnEncryptedCaptureIsStoredVerifiedAndPulledAsItIs) {
  SealedCaptureOptions options;
  options.encrypted = true;
  const auto manifest = Store(options);
  const auto& id = manifest.incident_id();
  const fs::path archive = Stored(id) / "node1/capture.tar.zst.cms";
  EXPECT_EQ(Sha256File(archive).value(), manifest.archive_sha256());
  EXPECT_FALSE(fs::exists(Archive(id)));
  StoreOfOtherNode(id);

  const auto report = VerifyNow(id);
  EXPECT_TRUE(report.ok()) << report.DebugString();
  EXPECT_THAT(report.encrypted(), ElementsAre("node1"));
  ASSERT_TRUE(PullTo(id, dir_ / "out.tar"));
  const auto files = Untar(dir_ / "out.tar");
  EXPECT_EQ(Sha256Of(files.at(id + "/node1/capture.tar.zst.cms")), manifest.archive_sha256());
  EXPECT_TRUE(files.contains(id + "/node2/capture.tar.zst"));

  ASSERT_TRUE(WriteFile(archive, "what only a recipient can reaD"));
  EXPECT_THAT(Problems(id).at("node1/capture.tar.zst.cms"), HasSubstr("SHA-256 differs"));
  fs::remove(archive);
  EXPECT_THAT(Problems(id).at("node1/capture.tar.zst"), HasSubstr("No such file"));
}

TEST_F(DemandTest, AnEncryptedCaptureInTheSpoolIsFound) {
  StartShipper();
  SealedCaptureOptions options;
  options.encrypted = true;
  const auto manifest = Seal(options);
  const auto& id = manifest.incident_id();
  EXPECT_THAT(VerifyNow(id).encrypted(), ElementsAre("node1"));
  ASSERT_TRUE(PullTo(id, dir_ / "out.tar"));
  EXPECT_EQ(Sha256Of(Untar(dir_ / "out.tar").at(id + "/node1/capture.tar.zst.cms")),
            manifest.archive_sha256());
}

TEST_F(DemandTest, PullsFromTheSpoolWhatTheStoreDoesNotHaveYet) {
  StartShipper();
  const auto manifest = Seal();
  const auto& id = manifest.incident_id();
  ASSERT_TRUE(PullTo(id, dir_ / "out.tar"));
  const auto files = Untar(dir_ / "out.tar");
  EXPECT_EQ(files.size(), 5u);
  EXPECT_EQ(Sha256Of(files.at(id + "/node1/capture.tar.zst")), manifest.archive_sha256());
}

TEST_F(DemandTest, APullWhoseReaderWentAwayEndsWithAnError) {
  StartShipper();
  SealedCaptureOptions big;
  big.incident_id = ids_.Next();
  for (int i = 0; i < 6000; ++i) big.files["noise"] += Sha256Of(std::to_string(i));
  const auto id = Seal(big).incident_id();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  const auto pulled = Wait<void>([&](auto done) { shipper_->Pull(id, Fd(ends[1]), done); });
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message, HasSubstr("the reader went away"));
}

TEST_F(DemandTest, RemovesAnIncidentFromSpoolAndStore) {
  const auto stored = Store();
  const auto other = Store();
  const auto freed = Remove(stored.incident_id());
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_GT(*freed, stored.archive_bytes());
  EXPECT_FALSE(fs::exists(Stored(stored.incident_id())));
  EXPECT_TRUE(fs::exists(Stored(other.incident_id())));
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
  const auto spooled = Seal();  // never enqueued
  ASSERT_TRUE(Remove(spooled.incident_id()));
  EXPECT_FALSE(fs::exists(Spooled(spooled.incident_id())));
}

// --- limits --------------------------------------------------------------

TEST_F(DemandTest, RetentionRemovesRepeatsFirstAndNeverWhatMustStay) {
  SealedCaptureOptions repeat;
  repeat.repeat = true;
  const auto first = Store().incident_id();
  const auto kept_repeat = Store(repeat).incident_id();
  const auto repeat1 = Store(repeat).incident_id();
  const auto repeat2 = Store(repeat).incident_id();
  const auto last = Store().incident_id();
  // Pinned by an agent that is not this one: only its incident.json tells.
  v1::Incident pinned;
  pinned.set_id(repeat1);
  pinned.set_pinned(true);
  ASSERT_TRUE(WriteFile(Stored(repeat1) / "incident.json", ToJson(pinned).value()));
  keep_ids_ = {kept_repeat};
  options_.max_incidents = 3;
  StartShipper();
  Until([&] { return dropped_.size() == 2; });
  EXPECT_THAT(dropped_, ElementsAre(repeat2, first));
  EXPECT_THAT(reasons_[0], HasSubstr("retention: the store held more than 3 incidents"));
  Settle();
  EXPECT_EQ(shipper_->store_status().captures(), 3u);
  EXPECT_TRUE(fs::exists(Archive(last)));
}

TEST_F(DemandTest, HalfUploadsOfThisNodeAndOldOnesAreCleared) {
  const auto id = ids_.Next();
  const std::string suffix = ".0123456789abcdef";
  const fs::path tmp = ClusterRoot() / "tmp";
  const auto make = [&](const std::string& node) {
    fs::create_directories(tmp / (id + "." + node + suffix));
    return tmp / (id + "." + node + suffix);
  };
  const auto own = make("node1");
  const auto of_other = make("node1.x");
  const auto old = make("node3");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(25));
  StartShipper();
  Until([&] { return !fs::exists(own) && !fs::exists(old); });
  EXPECT_TRUE(fs::exists(of_other));
}

TEST_F(DemandTest, ASpoolOverItsQuotaDropsRepeatsWhileTheStoreIsAway) {
  ASSERT_TRUE(WriteFile(dir_ / "store", "in the way"));
  const auto first = Seal();
  const auto repeat1 = SealRepeat();
  const auto repeat2 = SealRepeat();
  const auto last = Seal();
  options_.spool_max_bytes = (first.archive_bytes() + first.ByteSizeLong()) * 3 + 100;
  StartShipper();
  shipper_->Recover();
  Until([&] { return !dropped_.empty(); });
  EXPECT_THAT(dropped_, ElementsAre(repeat1.incident_id()));
  EXPECT_THAT(reasons_[0], HasSubstr("spool quota"));
  EXPECT_FALSE(fs::exists(Spooled(repeat1.incident_id())));
  EXPECT_EQ(shipper_->spool_status().dropped(), 1u);
  // The next one takes the other repeat's place.
  const auto newest = Seal();
  shipper_->Enqueue(newest);
  Until([&] { return dropped_.size() == 2; });
  EXPECT_EQ(dropped_[1], repeat2.incident_id());
  EXPECT_LE(shipper_->spool_status().bytes(), options_.spool_max_bytes);
  // Nothing but first failures is left: the newest gives way, the first one stays.
  const auto too_much = Seal();
  shipper_->Enqueue(too_much);
  Until([&] { return dropped_.size() == 3; });
  EXPECT_EQ(dropped_[2], too_much.incident_id());
  EXPECT_TRUE(fs::exists(Spooled(first.incident_id())));
  EXPECT_TRUE(fs::exists(Spooled(last.incident_id())));
}

}  // namespace
}  // namespace ffdc
