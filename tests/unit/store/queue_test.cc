// SPDX-License-Identifier: Apache-2.0
// Who leaves first: to the store, out of the spool, out of the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/layout.h"
#include "store/retention.h"
#include "store/shipper.h"
#include "store/spool_queue.h"

namespace ffdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kId = "01900000-0000-7000-8000-000000000000";

v1::Manifest Capture(const std::string& id, bool repeat, uint64_t bytes = 1000) {
  v1::Manifest manifest;
  manifest.set_incident_id(id);
  manifest.set_repeat(repeat);
  manifest.set_archive_bytes(bytes);
  return manifest;
}

// a to e in the order of time; b and d are repeats.
SpoolQueue FiveCaptures() {
  SpoolQueue queue;
  for (const char* id : {"c", "a", "e"}) queue.Add(Capture(id, false));
  for (const char* id : {"d", "b"}) queue.Add(Capture(id, true));
  return queue;
}

TEST(SpoolQueueTest, ShipsFirstFailuresBeforeRepeatsTheNewestFirst) {
  auto queue = FiveCaptures();
  std::vector<std::string> order;
  for (std::string id = queue.Next(); !id.empty(); id = queue.Next()) {
    order.push_back(id);
    queue.Remove(id);
  }
  EXPECT_THAT(order, ElementsAre("e", "c", "a", "d", "b"));
}

TEST(SpoolQueueTest, OneThatWaitsForAReasonOfItsOwnLetsTheOthersPass) {
  auto queue = FiveCaptures();
  queue.Postpone("e", "another capture is there");
  EXPECT_EQ(queue.Next(), "c");
  EXPECT_EQ(queue.problem(), "another capture is there");
  queue.Remove("e");
  EXPECT_EQ(queue.problem(), "");
}

TEST(SpoolQueueTest, WithinTheQuotaNothingGoes) {
  const auto queue = FiveCaptures();
  EXPECT_THAT(queue.Victims(queue.bytes()), IsEmpty());
}

TEST(SpoolQueueTest, RepeatsGoFirstOldestFirstThenFirstFailuresNewestFirst) {
  const auto queue = FiveCaptures();
  EXPECT_THAT(queue.Victims(queue.bytes() - 1), ElementsAre("sealed/b"));
  EXPECT_THAT(queue.Victims(queue.bytes() - 1500), ElementsAre("sealed/b", "sealed/d"));
  EXPECT_THAT(queue.Victims(1200), ElementsAre("sealed/b", "sealed/d", "sealed/e", "sealed/c"));
}

TEST(SpoolQueueTest, NeitherTheOneBeingShippedNorTheLastOneGoes) {
  auto queue = FiveCaptures();
  queue.SetBusy("b", true);
  queue.SetBusy("e", true);
  EXPECT_THAT(queue.Victims(1200), ElementsAre("sealed/d", "sealed/c", "sealed/a"));
  for (const char* id : {"b", "c", "d", "e"}) queue.Remove(id);
  EXPECT_THAT(queue.Victims(0), IsEmpty());
}

TEST(SpoolQueueTest, DamagedOnesGiveWayBeforeWholeOnes) {
  auto queue = FiveCaptures();
  v1::Removal damaged;
  damaged.set_id("broken");
  damaged.set_bytes(1000);
  queue.AddDamaged(damaged);
  EXPECT_THAT(queue.Victims(queue.bytes() - 1001), ElementsAre("damaged/broken", "sealed/b"));
  queue.RemovePath("damaged/broken");
  queue.RemovePath("sealed/b");
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_THAT(queue.Victims(queue.bytes()), IsEmpty());
}

TEST(SpoolQueueTest, ACaptureToldTwiceCountsOnce) {
  auto queue = FiveCaptures();
  const uint64_t bytes = queue.bytes();
  queue.Add(Capture("a", false));
  EXPECT_EQ(queue.bytes(), bytes);
}

// --- retention -----------------------------------------------------------

constexpr int64_t kSecondNs = 1'000'000'000;

std::vector<std::string> Removed(const std::vector<StoredIncident>& incidents, const RetentionLimits& limits,
                                 int64_t now_s = 1000) {
  std::vector<std::string> ids;
  for (const auto& step : PlanRetention(incidents, limits, now_s * kSecondNs)) ids.push_back(step.id);
  auto unclassified = incidents;
  for (auto& incident : unclassified) incident.repeat = false;
  EXPECT_EQ(PlanRetention(unclassified, limits, now_s * kSecondNs).empty(), ids.empty());
  return ids;
}

// Opened at 100, 200, ... s; 200 and 400 are repeats.
std::vector<StoredIncident> FiveIncidents() {
  return {{"500", 500 * kSecondNs, 10, false, false},
          {"400", 400 * kSecondNs, 10, true, false},
          {"100", 100 * kSecondNs, 10, false, false},
          {"200", 200 * kSecondNs, 10, true, false},
          {"300", 300 * kSecondNs, 10, false, false}};
}

TEST(RetentionTest, NoLimitKeepsAll) { EXPECT_THAT(Removed(FiveIncidents(), {}), IsEmpty()); }

TEST(RetentionTest, RepeatsGoFirstThenTheOldest) {
  EXPECT_THAT(Removed(FiveIncidents(), {0, 50, 5}), IsEmpty());
  EXPECT_THAT(Removed(FiveIncidents(), {0, 49, 0}), ElementsAre("200"));
  EXPECT_THAT(Removed(FiveIncidents(), {0, 0, 2}), ElementsAre("200", "400", "100"));
  EXPECT_THAT(Removed(FiveIncidents(), {0, 15, 0}), ElementsAre("200", "400", "100", "300"));
}

TEST(RetentionTest, AgeTakesAllThatAreTooOldAndMakesRoom) {
  EXPECT_THAT(Removed(FiveIncidents(), {750, 0, 0}), ElementsAre("200", "100"));
  EXPECT_THAT(Removed(FiveIncidents(), {750, 30, 3}), ElementsAre("200", "100"));
  EXPECT_THAT(Removed(FiveIncidents(), {750, 20, 0}), ElementsAre("200", "100", "400"));
}

TEST(RetentionTest, PinnedAndOpenOnesStayWhateverTheLimits) {
  auto incidents = FiveIncidents();
  for (auto& incident : incidents) incident.keep = incident.id != "500" && incident.id != "400";
  const RetentionLimits limits{1, 1, 1};
  std::vector<std::string> ids;
  for (const auto& step : PlanRetention(incidents, limits, 1000 * kSecondNs)) ids.push_back(step.id);
  EXPECT_THAT(ids, ElementsAre("400", "500"));
}

TEST(RetentionTest, AClockThatSteppedBackRemovesNothingForItsAge) {
  EXPECT_THAT(Removed(FiveIncidents(), {60, 0, 0}, 50), IsEmpty());
}

TEST(RetentionTest, SaysWhy) {
  const auto steps = PlanRetention(FiveIncidents(), {750, 25, 0}, 1000 * kSecondNs);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].reason, "retention: older than 750 s");
  EXPECT_EQ(steps[2].reason, "retention: the store held more than 25 bytes");
}

// --- names ---------------------------------------------------------------

TEST(LayoutTest, NamesThatCannotBeFoldersAreRefused) {
  for (const char* good : {"node1", "a.b-c_d", "..a", "knoten-ä", "Node 1"})
    EXPECT_TRUE(CheckName("node name", good)) << good;
  EXPECT_TRUE(CheckName("node name", std::string(64, 'x')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\nb"),
        std::string("a\x7f"), std::string("a\0b", 3), std::string(65, 'x'), std::string("incident.json")})
    EXPECT_FALSE(CheckName("node name", bad)) << bad;
  EXPECT_THAT(CheckName("cluster name", "a/b").error().message,
              HasSubstr("the cluster name 'a/b' cannot be a folder's name"));
}

TEST(LayoutTest, AnIncidentsFolderComesFromItsIdAlone) {
  EXPECT_EQ(IncidentFolder(kId), std::string("2024-06-10/") + kId);
}

TEST(LayoutTest, UrlsAreChecked) {
  EXPECT_TRUE(CheckStoreUrl("dir:/var/lib/ffdc/store"));
  EXPECT_THAT(CheckStoreUrl("dir:store").error().message, HasSubstr("needs an absolute path"));
  EXPECT_THAT(CheckStoreUrl("s3://bucket").error().message, HasSubstr("names no known kind of store"));
  EXPECT_FALSE(CheckStoreUrl(""));
  EXPECT_FALSE(CheckStoreUrl("dir:"));
}

std::string ManifestWith(const std::string& change) {
  return std::string(R"({"format":1,"incident_id":")") + kId +
         R"(","cluster":"lab","node":"n1","archive":"capture.tar.zst","archive_sha256":")" +
         std::string(64, 'a') + "\"" + change + "}";
}

TEST(LayoutTest, ManifestsAreCheckedBeforeTheirNamesBecomePaths) {
  ASSERT_TRUE(ParseManifest(ManifestWith(""))) << ParseManifest(ManifestWith("")).error().message;
  EXPECT_TRUE(ParseManifest(ManifestWith(R"(,"something_newer":{"x":1})")));
  for (const char* bad :
       {R"(,"node":"../../etc")", R"(,"node":"")", R"(,"cluster":"..")", R"(,"format":0)",
        R"(,"incident_id":"../x")", R"(,"archive":"/etc/passwd")", R"(,"archive_sha256":"ff")",
        R"(,"archive_xxh3_128":"ff")", R"(,"files":[{"name":"a","sha256":"zz"}])", R"(,"files":7)", "}"})
    EXPECT_FALSE(ParseManifest(ManifestWith(bad))) << bad;
  EXPECT_TRUE(ParseManifest(ManifestWith(R"(,"archive_xxh3_128":"06b05ab6733a618578af5f94892f3950")")));
  EXPECT_FALSE(ParseManifest(""));
}

}  // namespace
}  // namespace ffdc
