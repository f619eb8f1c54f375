// SPDX-License-Identifier: Apache-2.0
// A capture that goes to a peer's spool in parts, and from there into the store under its node's name.
#include <gmock/gmock.h>

#include <random>

#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "store/handoff_workers.h"
#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Node "b" takes what node1 has sealed.
class HandoffTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    from_ = options_.spool_dir;
    to_ = dir_ / "spool_b";
    reader_ = std::make_unique<HandoffWorkers>(*launcher_, from_, options_.cluster);
    writer_ = std::make_unique<HandoffWorkers>(*launcher_, to_, options_.cluster);
  }

  v1::Manifest SealBig() {
    SealedCaptureOptions options;
    std::minstd_rand random(7);
    std::string data(3 * kHandoffPartBytes, '\0');  // does not compress
    for (char& c : data) c = static_cast<char>(random() >> 16);
    options.files["big.bin"] = data;
    return Seal(options);
  }

  Result<v1::StoreReply> Wait(const std::function<void(HandoffWorkers::Done)>& start) {
    Result<v1::StoreReply> result = Fail("not yet");
    bool done = false;
    start([&](Result<v1::StoreReply> reply) {
      result = std::move(reply);
      done = true;
    });
    while (!done) Dispatch();
    return result;
  }

  v1::CaptureOffer OfferOf(const v1::Manifest& manifest) {
    const auto described =
        Wait([&](auto done) { reader_->Describe(manifest.incident_id(), std::move(done)); });
    EXPECT_TRUE(described) << described.error().message;
    v1::CaptureOffer offer;
    offer.set_incident_id(manifest.incident_id());
    offer.set_manifest_json(described->manifest_json());
    offer.set_incident_json(described->incident_json());
    offer.set_archive_bytes(described->archive_bytes());
    return offer;
  }
  Result<v1::StoreReply> Begin(const v1::CaptureOffer& offer, const std::string& node = "node1") {
    return Wait([&](auto done) { writer_->Begin(node, offer, std::move(done)); });
  }
  Result<v1::StoreReply> Add(const std::string& id, uint64_t offset, const std::string& data) {
    v1::CapturePart part;
    part.set_incident_id(id);
    part.set_offset_bytes(offset);
    part.set_data(data);
    return Wait([&](auto done) { writer_->Add("node1", part, std::move(done)); });
  }
  // Until it is whole, or `parts` have gone.
  v1::StoreReply Send(const v1::CaptureOffer& offer, int parts = 1000) {
    auto reply = Begin(offer);
    for (; reply && reply->handed().empty() && parts > 0; --parts) {
      const uint64_t offset = reply->archive_bytes();
      const auto read = Wait([&](auto done) { reader_->Read(offer.incident_id(), offset, std::move(done)); });
      EXPECT_TRUE(read) << read.error().message;
      reply = Add(offer.incident_id(), offset, read->data());
    }
    EXPECT_TRUE(reply) << reply.error().message;
    return *reply;
  }
  fs::path Handed(const std::string& id) const { return fs::path(to_) / HandedPath(id, "node1"); }
  void BecomeB() {
    shipper_.reset();
    options_.node = "b";
    options_.spool_dir = to_;
    StartShipper();
  }

  std::string from_, to_;
  std::unique_ptr<HandoffWorkers> reader_, writer_;
};

TEST_F(HandoffTest, APeerStoresItUnderItsNodesName) {
  const auto manifest = SealBig();
  const auto& id = manifest.incident_id();
  const auto reply = Send(OfferOf(manifest));
  ASSERT_EQ(reply.handed_size(), 1);
  EXPECT_GT(manifest.archive_bytes(), 2 * kHandoffPartBytes);
  know_incidents_ = false;
  BecomeB();
  shipper_->StoreForPeer(reply.handed(0));
  shipper_->StoreForPeer(reply.handed(0));
  Until([&] { return !stored_for_.empty(); });
  Settle();
  EXPECT_THAT(stored_for_, ElementsAre("node1"));
  EXPECT_THAT(problems_, ElementsAre(""));
  EXPECT_THAT(stored_, IsEmpty()) << "it is no capture of this node";
  EXPECT_EQ(Sha256File(Stored(id) / "node1/capture.tar.zst").value(), manifest.archive_sha256());
  EXPECT_TRUE(fs::exists(Stored(id) / "incident.json"));
  EXPECT_FALSE(fs::exists(Handed(id)));
  EXPECT_TRUE(fs::exists(fs::path(from_) / SealedPath(id))) << "its own node forgets it, when it is told";
}

TEST_F(HandoffTest, GoesOnWhereItEnded) {
  const auto offer = OfferOf(SealBig());
  EXPECT_EQ(Send(offer, 2).archive_bytes(), 2 * kHandoffPartBytes);
  const auto again = Begin(offer);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->archive_bytes(), 2 * kHandoffPartBytes);
  EXPECT_EQ(Send(offer).handed_size(), 1);
  const auto whole = Begin(offer);  // the answer to the last part was lost
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->handed_size(), 1);
}

TEST_F(HandoffTest, APartForAnotherPlaceIsLeftOut) {
  const auto offer = OfferOf(SealBig());
  Send(offer, 1);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{kHandoffPartBytes + 1}, ~uint64_t{0}}) {
    const auto reply = Add(offer.incident_id(), offset, "stray");
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->archive_bytes(), kHandoffPartBytes);
  }
  EXPECT_EQ(Send(offer).handed_size(), 1);
}

TEST_F(HandoffTest, WhatArrivesDamagedBeginsAnew) {
  const auto offer = OfferOf(Seal());
  ASSERT_TRUE(Begin(offer));
  const auto wrong = Add(offer.incident_id(), 0, std::string(offer.archive_bytes(), 'x'));
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->archive_bytes(), 0u);
  EXPECT_EQ(wrong->handed_size(), 0);
  const auto too_long = Add(offer.incident_id(), 0, std::string(offer.archive_bytes() + 1, 'x'));
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().message, HasSubstr("beyond the archive"));
  EXPECT_EQ(Send(offer).handed_size(), 1);
}

TEST_F(HandoffTest, DescriptionsOfSomethingElseAreRefused) {
  const auto offer = OfferOf(Seal());
  EXPECT_FALSE(Begin(offer, "other")) << "only its own node hands a capture over";
  EXPECT_FALSE(Begin(offer, "../../etc"));
  auto wrong = offer;
  wrong.set_incident_id(ids_.Next());
  EXPECT_FALSE(Begin(wrong));
  wrong.set_incident_id("../sealed");
  EXPECT_FALSE(Begin(wrong));
  wrong = offer;
  wrong.set_manifest_json("{");
  EXPECT_FALSE(Begin(wrong));
  EXPECT_FALSE(Add(offer.incident_id(), 0, "x")) << "never offered";
  EXPECT_EQ(Count(to_), 0u);
}

TEST_F(HandoffTest, AnotherCaptureOfThatNameTakesThePlaceOfAHalf) {
  const auto manifest = SealBig();
  auto offer = OfferOf(manifest);
  Send(offer, 1);
  auto other = manifest;
  other.set_relayed_by("b");
  ASSERT_TRUE(
      WriteFile(fs::path(from_) / SealedPath(manifest.incident_id()) / kManifestFile, ToJson(other).value()));
  offer = OfferOf(other);
  const auto begun = Begin(offer);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->archive_bytes(), 0u);
}

TEST_F(HandoffTest, ANewLifeStoresWhatIsWholeAndKeepsHalves) {
  const auto whole = Seal();
  const auto half = SealBig();
  Send(OfferOf(whole));
  Send(OfferOf(half), 1);
  BecomeB();
  shipper_->Recover();
  Until([&] { return !stored_for_.empty(); });
  Settle();
  EXPECT_TRUE(fs::exists(Stored(whole.incident_id()) / "node1"));
  EXPECT_TRUE(fs::exists(Handed(half.incident_id())));
  // Its node did not come back to it.
  fs::last_write_time(Handed(half.incident_id()), fs::file_time_type::clock::now() - std::chrono::hours(25));
  StartShipper();
  shipper_->Recover();
  Settle();
  EXPECT_FALSE(fs::exists(Handed(half.incident_id())));
}

TEST_F(HandoffTest, TheStoreHasAnotherCaptureOfThatName) {
  const auto first = Store();
  auto options = SealedCaptureOptions();
  options.incident_id = first.incident_id();
  options.files["mounts.txt"] = "other";
  const auto second = Seal(options);
  const auto reply = Send(OfferOf(second));
  BecomeB();
  shipper_->StoreForPeer(reply.handed(0));
  Until([&] { return !stored_for_.empty(); });
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("two agents have one name")));
  EXPECT_FALSE(fs::exists(Handed(first.incident_id())));
  EXPECT_EQ(Sha256File(Stored(first.incident_id()) / "node1/capture.tar.zst").value(),
            first.archive_sha256());
}

TEST_F(HandoffTest, OnlyWhatALostStoreKeepsWaitingIsGivenAway) {
  Store();
  EXPECT_EQ(shipper_->HoldForHandoff(), "");
  fs::remove_all(dir_ / "store");
  ASSERT_TRUE(WriteFile(dir_ / "store", "in the way"));
  const auto repeat = SealRepeat();
  const auto first = Seal();
  shipper_->Enqueue(repeat);
  shipper_->Enqueue(first);
  Until([&] { return shipper_->store_status().lost(); });
  EXPECT_EQ(shipper_->HoldForHandoff(), first.incident_id()) << "first failures before repeats";
  EXPECT_EQ(shipper_->HoldForHandoff(), repeat.incident_id());
  EXPECT_EQ(shipper_->HoldForHandoff(), "");
  shipper_->HandoffEnded(repeat, "");
  shipper_->HandoffEnded(first, "b");
  Until([&] { return stored_.size() == 2; });
  EXPECT_EQ(stored_.back(), first.incident_id());
  EXPECT_THAT(stored_by_, ElementsAre("", "b"));
  EXPECT_FALSE(fs::exists(Spooled(first.incident_id())));
  EXPECT_TRUE(fs::exists(Spooled(repeat.incident_id())));
  EXPECT_EQ(shipper_->HoldForHandoff(), repeat.incident_id());
}

}  // namespace
}  // namespace ffdc
