// SPDX-License-Identifier: Apache-2.0
// A store is known again by its marker; resumed uploads; one cleaner at a time; lost and back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <sys/stat.h>

#include <map>
#include <set>
#include <thread>

#include "base/mem_file.h"
#include "ffdc/v1/store.pb.h"
#include "store/dir_driver.h"
#include "store/dir_files.h"
#include "store/name_claim.h"
#include "store/pacer.h"
#include "store/resume_copy.h"
#include "store/store_health.h"
#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class KnownStoreTest : public StoreTest {
 protected:
  fs::path Marker() const { return ClusterRoot() / "store.json"; }
  Result<> Init() {
    Result<> result = Fail("never answered");
    bool done = false;
    shipper_->Init([&](Result<> answer) {
      result = std::move(answer);
      done = true;
    });
    while (!done) Dispatch();
    return result;
  }
  // What a job tells, merged.
  Result<v1::StoreProgress> Run(StoreJob job, const std::string& from = {}, const std::string& to = {}) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe2");
    const Fd output(ends[0]);
    Result<> result = Fail("never answered");
    bool done = false;
    shipper_->RunJob(job, from, to, Fd(ends[1]), [&](Result<> answer) {
      result = std::move(answer);
      done = true;
    });
    v1::StoreProgress all;
    std::thread reader([&] {
      google::protobuf::io::FileInputStream stream(output.get());
      v1::StoreProgress message;
      bool clean = false;
      while (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&message, &stream, &clean)) {
        all.MergeFrom(message);
        message.Clear();
      }
    });
    while (!done) {
      shipper_->Tick();
      Dispatch();
    }
    reader.join();
    FFDC_TRY(result);
    return all;
  }
};

TEST_F(KnownStoreTest, AFreshFolderBecomesAStoreByItself) {
  Store();
  Settle();
  EXPECT_TRUE(fs::exists(Marker()));
  EXPECT_EQ(shipper_->store_status().id().size(), 36u);
  EXPECT_GT(shipper_->store_status().space().total_bytes(), 0u);
  EXPECT_TRUE(fs::exists(options_.spool_dir + "/store.json"));
}

TEST_F(KnownStoreTest, TheEmptyFolderBelowAMountThatIsGoneIsNotWrittenTo) {
  Store();
  Settle();
  const std::string id = shipper_->store_status().id();
  fs::rename(dir_.path() / "store", dir_.path() / "mounted-elsewhere");
  fs::create_directories(dir_.path() / "store");
  const auto manifest = Seal();
  StartShipper();
  shipper_->Recover();
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_THAT(
      shipper_->store_status().error(),
      AllOf(HasSubstr("is not there: its marker v1/lab/store.json is missing"), HasSubstr("store init")));
  Until([&] { return !states_.empty(); });
  EXPECT_TRUE(states_[0].lost);
  EXPECT_TRUE(fs::is_empty(dir_.path() / "store"));
  EXPECT_TRUE(fs::exists(Spooled(manifest.incident_id())));
  // Mounted again: all goes on, and it is the same one.
  fs::remove(dir_.path() / "store");
  fs::rename(dir_.path() / "mounted-elsewhere", dir_.path() / "store");
  Until([&] { return stored_.size() == 2; });
  EXPECT_EQ(shipper_->store_status().id(), id);
  ASSERT_EQ(states_.size(), 2u);
  EXPECT_FALSE(states_[1].lost);
  EXPECT_GT(states_[1].time_ns, states_[0].time_ns);
}

TEST_F(KnownStoreTest, AnotherStoreInItsPlaceIsRefusedUntilAPersonTakesIt) {
  Store();
  Settle();
  const std::string first = shipper_->store_status().id();
  fs::remove(Marker());
  ASSERT_TRUE(MakeDirDriver(dir_ / "store", "lab", "node2")->Init());
  const auto manifest = Seal();
  StartShipper();
  shipper_->Recover();
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_THAT(shipper_->store_status().error(),
              AllOf(HasSubstr("is not the one this node knows"), HasSubstr(first)));
  ASSERT_TRUE(Init());
  Until([&] { return stored_.size() == 2; });
  EXPECT_NE(shipper_->store_status().id(), first);
  // It is remembered over a restart.
  Settle();
  StartShipper();
  shipper_->Recover();
  Until([&] { return shipper_->store_status().reachable(); });
}

TEST_F(KnownStoreTest, RequireMarkerLeavesAFreshFolderAlone) {
  options_.require_marker = true;
  const auto manifest = Seal();
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_THAT(shipper_->store_status().error(), HasSubstr("store.require_marker is set"));
  EXPECT_FALSE(fs::exists(dir_.path() / "store/v1"));
  ASSERT_TRUE(Init());
  Until([&] { return !stored_.empty(); });
}

TEST_F(KnownStoreTest, AMountThatFstabWantsIsMissed) {
  ASSERT_TRUE(
      WriteFile(dir_ / "fstab",
                "# a comment\nsrv:/x /mnt/ffdc\\040store nfs defaults 0 0\n/dev/sda1 / ext4 defaults 0 1\n"));
  EXPECT_EQ(UnmountedAbove("/mnt/ffdc store/below", dir_ / "fstab", "/proc").value(), "/mnt/ffdc store");
  EXPECT_EQ(UnmountedAbove("/mnt/ffdc storehouse", dir_ / "fstab", "/proc").value(), "");
  EXPECT_EQ(UnmountedAbove("/mnt/x", dir_ / "none", "/proc").value(), "");
  ASSERT_TRUE(WriteFile(dir_ / "fstab", "proc /proc proc defaults 0 0\n"));
  EXPECT_EQ(UnmountedAbove("/proc/self", dir_ / "fstab", "/proc").value(), "");
}

// --- resumed uploads -------------------------------------------------------

class CountingTransfer final : public Transfer {
 public:
  void Sent(uint64_t bytes) override { sent += bytes; }
  uint64_t sent = 0;
};

std::string Noise(size_t size) {
  std::string noise;
  for (size_t i = 0; noise.size() < size; ++i) noise += Sha256Of(std::to_string(i));
  return noise.substr(0, size);
}

TEST_F(KnownStoreTest, ACopyGoesOnWhereItEnded) {
  const std::string data = Noise(3'000'001);
  ASSERT_TRUE(WriteFile(dir_ / "from", data));
  for (const size_t there : {size_t{0}, size_t{1}, size_t{1} << 20, size_t{2'500'000}, data.size()}) {
    ASSERT_TRUE(WriteFile(dir_ / "to", data.substr(0, there)));
    CountingTransfer transfer;
    ASSERT_TRUE(ResumeCopy(dir_ / "from", dir_ / "to", transfer));
    EXPECT_EQ(transfer.sent, data.size() - there);
    EXPECT_EQ(ReadFile(dir_ / "to").value(), data);
  }
}

TEST_F(KnownStoreTest, WhatDiffersFromTheSourceIsCutAndCopiedAnew) {
  const std::string data = Noise(3'000'001);
  ASSERT_TRUE(WriteFile(dir_ / "from", data));
  std::string zeros = data.substr(0, 1'500'000);
  zeros.resize(2'000'000);  // as a filesystem leaves it that lost power
  ASSERT_TRUE(WriteFile(dir_ / "to", zeros));
  CountingTransfer transfer;
  ASSERT_TRUE(ResumeCopy(dir_ / "from", dir_ / "to", transfer));
  EXPECT_EQ(transfer.sent, data.size() - 1'500'000);
  EXPECT_EQ(ReadFile(dir_ / "to").value(), data);
  ASSERT_TRUE(WriteFile(dir_ / "to", data + "and more"));
  ASSERT_TRUE(ResumeCopy(dir_ / "from", dir_ / "to", transfer));
  EXPECT_EQ(ReadFile(dir_ / "to").value(), data);
}

TEST_F(KnownStoreTest, AHalfSentCaptureIsContinued) {
  SealedCaptureOptions big;
  big.incident_id = ids_.Next();
  big.files["noise.bin"] = Noise(3'000'000);
  const auto manifest = Seal(big);
  const fs::path half =
      ClusterRoot() / "tmp" / (big.incident_id + ".node1." + manifest.archive_sha256().substr(0, 16));
  fs::create_directories(half);
  const std::string archive = ReadFile(Spooled(big.incident_id) / "capture.tar.zst", 64u << 20).value();
  ASSERT_TRUE(WriteFile(half / "capture.tar.zst", archive.substr(0, 1'000'000)));
  struct stat before {};
  ASSERT_EQ(stat((half / "capture.tar.zst").c_str(), &before), 0);
  StartShipper();
  shipper_->Recover();
  Until([&] { return !stored_.empty(); });
  struct stat after {};
  ASSERT_EQ(stat((Stored(big.incident_id) / "node1/capture.tar.zst").c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino) << "the same file, written on";
  EXPECT_EQ(Sha256File(Stored(big.incident_id) / "node1/capture.tar.zst").value(), manifest.archive_sha256());
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
}

TEST_F(KnownStoreTest, WhatIsStillInTheSpoolKeepsItsHalfUpload) {
  const auto waiting = Seal().incident_id();
  const auto gone = ids_.Next();
  const auto driver = MakeDirDriver(dir_ / "store", "lab", "node1");
  ASSERT_TRUE(driver->Prepare());
  for (const auto& id : {waiting, gone})
    fs::create_directories(ClusterRoot() / "tmp" / (id + ".node1.0123456789abcdef"));
  ASSERT_TRUE(driver->RemoveHalfUploads(true, {waiting}));
  EXPECT_THAT(ListFolder(ClusterRoot() / "tmp").value(), ElementsAre(waiting + ".node1.0123456789abcdef"));
}

TEST(PacerTest, HoldsTheRate) {
  Pacer pacer(10'000'000);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) pacer.Sent(200'000);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(200));
}

// --- several nodes -----------------------------------------------------------

TEST_F(KnownStoreTest, OneNodeAtATimeHoldsTheLease) {
  ASSERT_TRUE(MakeDirs(ClusterRoot() / "tmp"));
  FileLease first(ClusterRoot() / "lease.json", ClusterRoot() / "tmp", "node1");
  FileLease second(ClusterRoot() / "lease.json", ClusterRoot() / "tmp", "node2");
  EXPECT_TRUE(first.Acquire().value());
  EXPECT_FALSE(second.Acquire().value());
  second.Release();  // not its own
  EXPECT_FALSE(second.Acquire().value());
  first.Release();
  EXPECT_TRUE(second.Acquire().value());
  // Of a node that died long ago.
  v1::StoreLease dead;
  dead.set_node("node2");
  dead.set_id(ids_.Next());
  dead.set_until_wall_ns(SystemClock().RealtimeNs() - 3600 * kNsPerSecond);
  ASSERT_TRUE(WriteFile(ClusterRoot() / "lease.json", ToJson(dead).value()));
  EXPECT_TRUE(first.Acquire().value());
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
}

TEST_F(KnownStoreTest, AnotherAgentOfThisNameIsNoticedWhileItLives) {
  const fs::path file = dir_.path() / "nodes/node1.json";
  const auto claim = [&] { return ClaimName(file, dir_.path() / "temporary", "node1").value(); };
  EXPECT_EQ(claim(), "");
  EXPECT_EQ(claim(), "");
  v1::StoreLease other;
  ASSERT_TRUE(FromJson(ReadFile(file).value(), &other));
  const std::string own = other.id();
  other.set_node("db2");
  other.set_id("11111111-2222-3333-4444-555555555555 4026531836 77 123");
  ASSERT_TRUE(WriteFile(file, ToJson(other).value()));
  EXPECT_THAT(claim(), AllOf(HasSubstr("two agents have one name"), HasSubstr("db2")));
  EXPECT_THAT(claim(), HasSubstr("two agents"));
  // It ended long ago.
  other.set_until_wall_ns(SystemClock().RealtimeNs() - 1);
  ASSERT_TRUE(WriteFile(file, ToJson(other).value()));
  EXPECT_EQ(claim(), "");
  // A former life on this machine, of which nothing is left.
  ASSERT_TRUE(FromJson(ReadFile(file).value(), &other));
  other.set_id(own.substr(0, own.find_last_of(' ')) + " 1");
  ASSERT_TRUE(WriteFile(file, ToJson(other).value()));
  EXPECT_EQ(claim(), "");
}

TEST_F(KnownStoreTest, RemovingWhatAnotherNodeRemovedIsNoError) {
  const auto driver = MakeDirDriver(dir_ / "store", "lab", "node1");
  const auto id = Store().incident_id();
  EXPECT_GT(driver->Remove(id).value(), 0u);
  EXPECT_EQ(driver->Remove(id).value(), 0u);
}

TEST_F(KnownStoreTest, TwoNodesThatCleanUpAtOnceRemoveNoMoreThanIsTooMuch) {
  for (int i = 0; i < 6; ++i) Store();
  Settle();
  const auto clean = [&](const std::string& node) {
    v1::StoreArgs args;
    args.set_store_url(options_.store_url);
    args.set_spool_dir(options_.spool_dir);
    args.set_cluster("lab");
    args.set_node(node);
    args.set_max_incidents(3);
    const auto in = MemFile(args);
    const auto out = MemFile();
    const int fds[] = {in->get(), out->get(), -1};
    EXPECT_TRUE(StoreTasks()["store.retain"]("", fds));
  };
  std::thread first(clean, "node1");
  std::thread second(clean, "node2");
  first.join();
  second.join();
  EXPECT_EQ(MakeDirDriver(dir_ / "store", "lab", "node1")->List().value().size(), 3u);
  EXPECT_FALSE(fs::exists(ClusterRoot() / "lease.json"));
}

TEST_F(KnownStoreTest, WhatAnotherNodeStillHasOpenStays) {
  const auto open = Store().incident_id();
  const auto closed = Store().incident_id();
  const auto last = Store().incident_id();
  v1::Incident incident;
  incident.set_id(open);
  incident.set_state(v1::OPEN);
  incident.mutable_last_event_at()->set_seconds(SystemClock().RealtimeNs() / kNsPerSecond);
  ASSERT_TRUE(WriteFile(Stored(open) / "incident.json", ToJson(incident).value()));
  options_.max_incidents = 2;
  StartShipper();
  Until([&] { return !dropped_.empty(); });
  Settle();
  EXPECT_THAT(dropped_, ElementsAre(closed));
  EXPECT_TRUE(fs::exists(Stored(last)));
}

// --- work on all of the store ------------------------------------------------

TEST_F(KnownStoreTest, ListsVerifiesAndNamesEachBadFile) {
  const auto good = Store();
  const auto bad = Store();
  const auto listed = Run(StoreJob::kList);
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_TRUE(listed->finished());
  ASSERT_EQ(listed->captures_size(), 2);
  EXPECT_EQ(listed->captures(0).incident_id(), good.incident_id());
  EXPECT_EQ(listed->captures(0).node(), "node1");
  EXPECT_GE(listed->captures(0).bytes(), good.archive_bytes());
  const auto sound = Run(StoreJob::kVerify);
  ASSERT_TRUE(sound) << sound.error().message;
  EXPECT_EQ(sound->captures_done(), 2u);
  EXPECT_THAT(sound->problems(), IsEmpty());
  fs::resize_file(Stored(bad.incident_id()) / "node1/capture.tar.zst", bad.archive_bytes() - 1);
  fs::remove(Stored(good.incident_id()) / "incident.json");
  const auto found = Run(StoreJob::kVerify);
  ASSERT_TRUE(found) << found.error().message;
  std::map<std::string, std::string> problems;
  for (const auto& problem : found->problems())
    problems[problem.incident_id() + "/" + problem.file()] += problem.problem();
  EXPECT_THAT(problems[bad.incident_id() + "/node1/capture.tar.zst"], HasSubstr("size differs"));
  EXPECT_THAT(problems[good.incident_id() + "/incident.json"], HasSubstr("No such file"));
}

TEST_F(KnownStoreTest, CleansUpOnRequestAndTellsWhatWent) {
  for (int i = 0; i < 4; ++i) Store();
  Settle();
  options_.max_incidents = 3;
  StartShipper();
  const auto cleaned = Run(StoreJob::kClean);
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_EQ(cleaned->removed_size() + static_cast<int>(dropped_.size()) > 0, true);
  Settle();
  EXPECT_EQ(MakeDirDriver(dir_ / "store", "lab", "node1")->List().value().size(), 3u);
  // The cleaning that is due at a start may have met this one: then both tell of it.
  EXPECT_EQ(std::set(dropped_.begin(), dropped_.end()).size(), 1u);
}

TEST_F(KnownStoreTest, MigratesVerifiedAndKeepsTheSource) {
  SealedCaptureOptions encrypted;
  encrypted.encrypted = true;
  const auto first = Store();
  const auto damaged = Store();
  const auto second = Store(encrypted);
  EXPECT_EQ(Run(StoreJob::kVerify)->captures_encrypted(), 1u);
  fs::resize_file(Stored(damaged.incident_id()) / "node1/capture.tar.zst", 10);
  const std::string to = dir_ / "other";
  const auto migrated = Run(StoreJob::kMigrate, options_.store_url, "dir:" + to);
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_EQ(migrated->captures_done(), 3u);
  ASSERT_EQ(migrated->problems_size(), 1);
  EXPECT_EQ(migrated->problems(0).incident_id(), damaged.incident_id());
  for (const auto& manifest : {first, second}) {
    const auto& id = manifest.incident_id();
    const fs::path copy = fs::path(to) / "v1/lab/incidents" / FormatDate(UuidWallNs(id)) / id;
    EXPECT_EQ(Sha256File(copy / "node1" / manifest.archive()).value(), manifest.archive_sha256());
    EXPECT_TRUE(fs::exists(copy / "incident.json"));
    EXPECT_TRUE(fs::exists(Stored(id) / "node1" / manifest.archive()));
  }
  EXPECT_TRUE(fs::exists(fs::path(to) / "v1/lab/store.json"));
  EXPECT_EQ(Count(options_.spool_dir + "/tmp"), 0u);
  const auto again = Run(StoreJob::kMigrate, options_.store_url, "dir:" + to);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->captures_skipped(), 2u);
  const auto nothing = Run(StoreJob::kMigrate, "dir:" + (dir_ / "typo"), "dir:" + to);
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("nothing to migrate"));
}

TEST_F(KnownStoreTest, AJobWhoseReaderWentAwayEnds) {
  Store();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  std::string error;
  shipper_->RunJob(StoreJob::kVerify, {}, {}, Fd(ends[1]),
                   [&](Result<> result) { error = result ? "none" : result.error().message; });
  Until([&] { return !error.empty(); });
  EXPECT_THAT(error, HasSubstr("went away"));
}

// --- lost and back -------------------------------------------------------------

TEST(StoreHealthTest, OneChangeAnOutage) {
  using std::chrono::seconds;
  std::vector<StoreState> states;
  StoreHealth health("dir:/x", [&](const StoreState& state) { states.push_back(state); });
  const auto now = StoreHealth::Clock::now();
  health.Reached();
  health.Failed(now, false, "no");
  EXPECT_THAT(states, IsEmpty()) << "a moment is no outage";
  health.Reached();
  health.Failed(now, false, "no");
  health.Reached();
  EXPECT_THAT(states, IsEmpty());
  health.Failed(now - seconds(20), true, "does not answer");
  health.Failed(now, true, "does not answer");
  ASSERT_EQ(states.size(), 1u);
  EXPECT_TRUE(states[0].lost);
  EXPECT_EQ(states[0].problem, "does not answer");
  health.Reached();
  health.Reached();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_FALSE(states[1].lost);
  EXPECT_GE(states[1].time_ns - states[0].time_ns, 20'000'000'000u);
  health.Failed(now - seconds(6), false, "again");
  EXPECT_EQ(states.size(), 3u);
}

}  // namespace
}  // namespace ffdc
