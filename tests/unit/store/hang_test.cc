// SPDX-License-Identifier: Apache-2.0
// A store whose workers not even SIGKILL ends: they must not pile up.
#include <gmock/gmock.h>

#include "fakes/hanging_launcher.h"
#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

TEST_F(StoreTest, AStoreThatHangsCostsTwoWorkersAndIsTriedAgainOnceOneEnds) {
  auto hanging = std::make_unique<HangingLauncher>(*launcher_, "store.recover_spool");
  auto& hang = *hanging;
  const auto real = std::exchange(launcher_, std::move(hanging));
  const auto manifest = Seal();
  StartShipper();
  shipper_->Recover();
  Until([&] { return hang.started() == 2; });
  Until([&] { return hang.running() == 0; });
  // The longest pause is not over, but no pause matters while two of them are left.
  for (int i = 0; i < 100; ++i) {
    shipper_->Tick();
    Dispatch();
  }
  EXPECT_EQ(hang.started(), 2u);
  EXPECT_FALSE(shipper_->store_status().reachable());
  EXPECT_THAT(shipper_->store_status().error(), HasSubstr("does not answer"));
  // A removal is refused at once instead of waiting for the store.
  std::string refused;
  shipper_->Remove(manifest.incident_id(),
                   [&](Result<uint64_t> result) { refused = result ? "removed" : result.error().message; });
  EXPECT_THAT(refused, HasSubstr("does not answer"));
  EXPECT_TRUE(std::filesystem::exists(Spooled(manifest.incident_id())));
  hang.End();
  Until([&] { return !stored_.empty(); });
  shipper_.reset();
}

TEST_F(StoreTest, AStoreThatOnlyReadersFoundHangingIsLostAsWell) {
  auto hanging = std::make_unique<HangingLauncher>(*launcher_, "store.recover_spool");
  auto& hang = *hanging;
  const auto real = std::exchange(launcher_, std::move(hanging));
  StartShipper();
  int failed = 0;
  for (int i = 0; i < 2; ++i)
    shipper_->Manifests(ids_.Next(),
                        [&](const Result<std::vector<v1::Manifest>>& found) { failed += !found; });
  while (failed < 2) Dispatch();
  EXPECT_EQ(hang.started(), 2u) << "nobody has looked at the store itself";
  shipper_->Tick();
  ASSERT_EQ(states_.size(), 1u);
  EXPECT_TRUE(states_[0].lost);
  EXPECT_THAT(states_[0].problem, HasSubstr("does not answer"));
  hang.End();
  Until([&] { return states_.size() == 2; });
  EXPECT_FALSE(states_[1].lost);
  shipper_.reset();
}

}  // namespace
}  // namespace ffdc
