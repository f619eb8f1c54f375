// SPDX-License-Identifier: Apache-2.0
// From the spool into the store, and every way in which that can go wrong.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <algorithm>

#include "base/crash_point.h"
#include "base/mem_file.h"
#include "fakes/crash.h"
#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using ShipTest = StoreTest;

std::string Summary(const fs::path& incident_json) {
  v1::Incident incident;
  const auto text = ReadFile(incident_json);
  EXPECT_TRUE(text && FromJson(*text, &incident));
  return incident.summary();
}

TEST_F(ShipTest, MovesASealedCaptureIntoTheStore) {
  const auto manifest = Seal();
  const auto& id = manifest.incident_id();
  StartShipper();
  shipper_->Enqueue(manifest);
  EXPECT_EQ(shipper_->spool_status().captures(), 1u);
  Until([&] { return !stored_.empty(); });
  EXPECT_THAT(stored_, ElementsAre(id));
  EXPECT_EQ(Count(options_.spool_dir + "/sealed"), 0u);
  EXPECT_EQ(Count(options_.spool_dir + "/tmp"), 0u);
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
  EXPECT_EQ(Sha256File(Stored(id) / "node1/capture.tar.zst").value(), manifest.archive_sha256());
  EXPECT_EQ(Summary(Stored(id) / "incident.json"), "as known when it left");
  EXPECT_EQ(shipper_->spool_status().captures(), 0u);
  Settle();
  EXPECT_TRUE(shipper_->store_status().reachable());
  EXPECT_EQ(shipper_->store_status().error(), "");
  EXPECT_EQ(shipper_->store_status().captures(), 1u);
  EXPECT_GE(shipper_->store_status().bytes(), manifest.archive_bytes());
}

TEST_F(ShipTest, TakesTheSpoolsDescriptionOfAnUnknownIncident) {
  know_incidents_ = false;
  const auto manifest = Store();
  EXPECT_EQ(Summary(Stored(manifest.incident_id()) / "incident.json"), "as sealed");
}

TEST_F(ShipTest, RewritesAnIncidentThatChanged) {
  const auto manifest = Store();
  v1::Incident incident;
  incident.set_id(manifest.incident_id());
  for (const char* summary : {"closed", "pinned"}) {
    incident.set_summary(summary);
    shipper_->IncidentChanged(incident);
  }
  const fs::path file = Stored(manifest.incident_id()) / "incident.json";
  Until([&] { return Summary(file) == "pinned"; });
  EXPECT_EQ(Count(Stored(manifest.incident_id())), 2u);  // nothing left beside it
}

TEST_F(ShipTest, AChangeDoesNotBringARemovedIncidentBack) {
  StartShipper();
  v1::Incident incident;
  incident.set_id(ids_.Next());
  shipper_->IncidentChanged(incident);
  const auto after = Seal();
  shipper_->Enqueue(after);
  Until([&] { return !stored_.empty(); });
  incident.set_id(after.incident_id());
  incident.set_summary("later");
  shipper_->IncidentChanged(incident);  // written after the first one
  Until([&] { return Summary(Stored(after.incident_id()) / "incident.json") == "later"; });
  EXPECT_EQ(Count(ClusterRoot() / "incidents" / FormatDate(UuidWallNs(after.incident_id()))), 1u);
}

TEST_F(ShipTest, RecoversWhatAFormerLifeSealed) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Seal().incident_id());
  ASSERT_TRUE(MakeDirs(options_.spool_dir + "/tmp/ship-" + ids[0] + ".0123"));
  ASSERT_TRUE(MakeDirs(options_.spool_dir + "/tmp/seal-in-progress"));
  StartShipper();
  shipper_->Recover();
  Until([&] { return stored_.size() == 5; });
  EXPECT_THAT(found_, testing::ElementsAreArray(ids));
  EXPECT_THAT(stored_, testing::ElementsAreArray(ids.rbegin(), ids.rend()));  // newest first
  EXPECT_EQ(Count(options_.spool_dir + "/tmp"), 1u);
  EXPECT_TRUE(fs::exists(options_.spool_dir + "/tmp/seal-in-progress"));
}

TEST_F(ShipTest, SetsDamagedCapturesAsideAndSaysSo) {
  const auto no_manifest = Seal().incident_id();
  fs::remove(Spooled(no_manifest) / "manifest.json");
  const auto no_json = Seal().incident_id();
  ASSERT_TRUE(WriteFile(Spooled(no_json) / "manifest.json", "{ \"format\": 1, "));
  const auto cut = Seal();
  fs::resize_file(Spooled(cut.incident_id()) / "capture.tar.zst", cut.archive_bytes() - 1);
  const auto good = Seal().incident_id();
  StartShipper();
  shipper_->Recover();
  Until([&] { return dropped_.size() == 3 && !stored_.empty(); });
  EXPECT_THAT(stored_, ElementsAre(good));
  EXPECT_THAT(dropped_, ElementsAre(no_manifest, no_json, cut.incident_id()));
  EXPECT_THAT(reasons_[0], AllOf(HasSubstr("damaged in the spool"), HasSubstr("No such file")));
  EXPECT_THAT(reasons_[1], AllOf(HasSubstr("manifest.json"), HasSubstr("JSON")));
  EXPECT_THAT(reasons_[2], AllOf(HasSubstr("capture.tar.zst: size differs"),
                                 HasSubstr(options_.spool_dir + "/damaged/" + cut.incident_id())));
  EXPECT_EQ(Count(options_.spool_dir + "/damaged"), 3u);
  EXPECT_EQ(shipper_->spool_status().dropped(), 3u);
  EXPECT_GT(shipper_->spool_status().bytes(), 0u);  // still in the spool's budget
}

TEST_F(ShipTest, AByteThatChangedInTheSpoolIsFoundByTheSumTheManifestHas) {
  SealedCaptureOptions older;
  older.has_xxh3 = false;
  const auto flip_a_byte = [&](const v1::Manifest& manifest) {
    const auto archive = Spooled(manifest.incident_id()) / manifest.archive();
    std::string bytes = ReadFile(archive).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(WriteFile(archive, bytes));
  };
  flip_a_byte(Seal());
  flip_a_byte(Seal(older));
  const auto good = Seal(older).incident_id();
  StartShipper();
  shipper_->Recover();
  Until([&] { return dropped_.size() == 2 && !stored_.empty(); });
  EXPECT_THAT(stored_, ElementsAre(good));
  EXPECT_THAT(reasons_, UnorderedElementsAre(HasSubstr("capture.tar.zst: XXH3-128 differs"),
                                             HasSubstr("capture.tar.zst: SHA-256 differs")));
}

TEST_F(ShipTest, ACaptureThatVanishedIsNamedOnce) {
  const auto manifest = Seal();
  fs::remove_all(Spooled(manifest.incident_id()));
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !dropped_.empty(); });
  EXPECT_THAT(reasons_[0], HasSubstr("vanished from the spool"));
  Settle();
  EXPECT_EQ(dropped_.size(), 1u);
}

TEST_F(ShipTest, ACaptureShippedByAWorkerWhoseAnswerWasLostCountsAsStored) {
  const auto manifest = Store();
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return stored_.size() == 2; });
  EXPECT_THAT(dropped_, IsEmpty());
}

TEST_F(ShipTest, TheSecondAgentOfOneNameIsTurnedAwayAndKeepsItsCapture) {
  const auto first = Store();
  SealedCaptureOptions other{first.incident_id()};
  other.files["kernel-log.txt"] = "of another machine\n";
  const auto second = Seal(other);
  const auto good = Seal();
  StartShipper();
  shipper_->Enqueue(second);
  shipper_->Enqueue(good);
  Until([&] { return stored_.size() == 2 && !shipper_->store_status().error().empty(); });
  EXPECT_EQ(stored_[1], good.incident_id());  // it blocks nobody else
  EXPECT_THAT(shipper_->store_status().error(),
              AllOf(HasSubstr(first.incident_id()), HasSubstr("two agents have one name")));
  EXPECT_TRUE(shipper_->store_status().reachable());
  EXPECT_TRUE(fs::exists(Spooled(first.incident_id()) / "capture.tar.zst"));
  EXPECT_EQ(Sha256File(Stored(first.incident_id()) / "node1/capture.tar.zst").value(),
            first.archive_sha256());
}

TEST_F(ShipTest, ReplacesACopyThatALyingDiskLost) {
  const auto manifest = Seal();
  fs::copy(Spooled(manifest.incident_id()), dir_.path() / "kept");
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !stored_.empty(); });
  const fs::path archive = Stored(manifest.incident_id()) / "node1/capture.tar.zst";
  fs::resize_file(archive, 10);
  ASSERT_TRUE(MakeDirs(options_.spool_dir + "/sealed"));
  fs::rename(dir_.path() / "kept", Spooled(manifest.incident_id()));
  StartShipper();
  shipper_->Recover();
  Until([&] { return stored_.size() == 2; });
  EXPECT_EQ(Sha256File(archive).value(), manifest.archive_sha256());
}

// --- a store that does not take it ---------------------------------------

class Mount {
 public:
  Mount(const char* source, const std::string& target, const char* type, unsigned long flags,
        const char* data)
      : target_(target) {
    fs::create_directories(target);
    mounted_ = mount(source, target.c_str(), type, flags, data) == 0;
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { umount2(target_.c_str(), MNT_DETACH); }
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::string target_;
  bool mounted_ = false;
};

TEST_F(ShipTest, AFullStoreKeepsTheCaptureInTheSpoolAndSaysWhy) {
  const Mount store("ffdc-test", dir_ / "store", "tmpfs", 0, "size=64k");
  ASSERT_TRUE(store.mounted()) << "mounting a tmpfs needs root";
  SealedCaptureOptions big;
  big.incident_id = ids_.Next();
  std::string noise;  // does not compress
  while (noise.size() < (200u << 10)) noise += ids_.Next() + Sha256Of(noise.substr(0, 100) + ids_.Next());
  big.files["noise.bin"] = noise;
  const auto manifest = Seal(big);
  ASSERT_GT(manifest.archive_bytes(), 64u << 10);
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_THAT(shipper_->store_status().error(), AllOf(HasSubstr("store " + options_.store_url + " is full"),
                                                      HasSubstr("No space left on device")));
  EXPECT_TRUE(fs::exists(Spooled(manifest.incident_id()) / "capture.tar.zst"));
  Settle();
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
  EXPECT_FALSE(fs::exists(Stored(manifest.incident_id()) / "node1"));
  // Room again: it goes by itself.
  ASSERT_EQ(mount("ffdc-test", (dir_ / "store").c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  Until([&] { return !stored_.empty(); });
  EXPECT_EQ(shipper_->store_status().error(), "");
}

TEST_F(ShipTest, AReadOnlyStoreKeepsTheCaptureInTheSpoolAndSaysWhy) {
  const Mount store("ffdc-test", dir_ / "store", "tmpfs", MS_RDONLY, "size=64k");
  ASSERT_TRUE(store.mounted()) << "mounting a tmpfs needs root";
  const auto manifest = Seal();
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_FALSE(shipper_->store_status().reachable());
  EXPECT_THAT(shipper_->store_status().error(),
              AllOf(HasSubstr("store " + options_.store_url + " is not writable"),
                    HasSubstr("Read-only file system: mount it read-write or change store.url")));
  EXPECT_EQ(shipper_->spool_status().captures(), 1u);
  ASSERT_EQ(mount("ffdc-test", (dir_ / "store").c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  Until([&] { return !stored_.empty(); });
}

TEST_F(ShipTest, AFileInTheStoresPlaceIsNamed) {
  ASSERT_TRUE(WriteFile(dir_ / "store", "no folder"));
  StartShipper();
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_THAT(shipper_->store_status().error(), HasSubstr("is not a folder"));
}

TEST_F(ShipTest, AStoreThatDoesNotAnswerDelaysNobody) {
  auto tasks = StoreTasks();
  // Hangs until the file appears.
  const std::string mended = dir_ / "mended";
  const auto ship = tasks["store.ship"];
  tasks["store.ship"] = [ship, mended](std::string_view argument, std::span<const int> fds) {
    while (access(mended.c_str(), F_OK) != 0) usleep(10000);
    return ship(argument, fds);
  };
  StartLauncher(std::move(tasks));
  options_.deadline = std::chrono::milliseconds(300);
  const auto manifest = Seal();
  StartShipper();
  shipper_->Enqueue(manifest);
  Until([&] { return !shipper_->store_status().error().empty(); });
  EXPECT_FALSE(shipper_->store_status().reachable());
  EXPECT_THAT(shipper_->store_status().error(), HasSubstr("does not answer"));
  // What lies in the spool can be read meanwhile.
  const auto report = VerifyNow(manifest.incident_id());
  ASSERT_EQ(report.problems_size(), 1);
  EXPECT_EQ(report.problems(0).file(), "store");
  ASSERT_TRUE(WriteFile(mended, ""));
  Until([&] { return !stored_.empty(); });
  EXPECT_EQ(shipper_->store_status().error(), "");
}

// --- crashes -------------------------------------------------------------

class CrashTest : public StoreTest, public testing::WithParamInterface<std::string> {};

TEST_P(CrashTest, AfterRecoveryThereIsExactlyOneGoodCopy) {
  const auto manifest = Seal();
  const auto& id = manifest.incident_id();
  v1::StoreArgs args;
  args.set_store_url(options_.store_url);
  args.set_spool_dir(options_.spool_dir);
  args.set_cluster("lab");
  args.set_node("node1");
  args.set_incident_id(id);
  const auto ship = [&args] {
    const auto in = MemFile(args);
    const auto out = MemFile();
    const int fds[] = {in->get(), out->get(), -1};
    [[maybe_unused]] const auto result = StoreTasks()["store.ship"]("", fds);
  };
  ASSERT_TRUE(CrashesAt(GetParam(), ship)) << "the point was not reached";
  // Whatever lies in its place is whole.
  if (fs::exists(Stored(id) / "node1")) {
    EXPECT_EQ(Sha256File(Stored(id) / "node1/capture.tar.zst").value(), manifest.archive_sha256());
    EXPECT_TRUE(fs::exists(Stored(id) / "node1/manifest.json"));
  } else {
    EXPECT_TRUE(fs::exists(Spooled(id)));
  }

  StartShipper();
  shipper_->Recover();
  Until([&] { return shipper_->store_status().captures() == 1 && shipper_->spool_status().captures() == 0; });
  Settle();
  EXPECT_THAT(dropped_, IsEmpty());
  EXPECT_EQ(shipper_->store_status().captures(), 1u);
  EXPECT_EQ(Count(options_.spool_dir + "/sealed"), 0u);
  EXPECT_EQ(Count(options_.spool_dir + "/tmp"), 0u);
  EXPECT_EQ(Count(ClusterRoot() / "tmp"), 0u);
  const auto report = VerifyNow(id);
  EXPECT_TRUE(report.ok()) << report.DebugString();
}

std::vector<std::string> ShipPoints() {
  std::vector<std::string> points;
  for (const auto point : AllCrashPoints()) {
    if (point.starts_with("ship.")) points.emplace_back(point);
  }
  return points;
}

INSTANTIATE_TEST_SUITE_P(Points, CrashTest, testing::ValuesIn(ShipPoints()),
                         [](const testing::TestParamInfo<std::string>& point) {
                           std::string name = point.param.substr(5);
                           name.erase(std::remove(name.begin(), name.end(), '_'), name.end());
                           return name;
                         });

}  // namespace
}  // namespace ffdc
