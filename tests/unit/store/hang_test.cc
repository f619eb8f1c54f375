// SPDX-License-Identifier: Apache-2.0
// A store whose workers not even SIGKILL ends: they must not pile up.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "unit/store/store_fixture.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

// Gives every worker up as hanging, until told that they end and work again.
class HangingLauncher final : public Launcher {
 public:
  explicit HangingLauncher(Launcher& real) : real_(real) {}

  void Submit(const WorkerRequest& request, std::function<void(WorkerReport)> done) override {
    if (!hanging_ || request.task == "store.recover_spool") return real_.Submit(request, std::move(done));
    ++started_;
    for (const int fd : request.fds) held_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    reports_.push_back(std::move(done));
  }
  [[nodiscard]] int fd() const override { return real_.fd(); }
  void Dispatch() override {
    real_.Dispatch();
    std::vector<std::function<void(WorkerReport)>> reports;
    reports.swap(reports_);
    for (const auto& done : reports) done({WorkerOutcome::kAbandoned, {}, "hangs in the kernel", 0});
  }
  [[nodiscard]] size_t running() const override { return real_.running() + reports_.size(); }
  [[nodiscard]] uint64_t abandoned() const override { return started_; }
  WorkerReport RunToEnd(const WorkerRequest& request) override { return real_.RunToEnd(request); }

  [[nodiscard]] size_t started() const { return started_; }
  void End() {
    hanging_ = false;
    held_.clear();
  }

 private:
  Launcher& real_;
  bool hanging_ = true;
  size_t started_ = 0;
  std::vector<Fd> held_;
  std::vector<std::function<void(WorkerReport)>> reports_;
};

TEST_F(StoreTest, AStoreThatHangsCostsTwoWorkersAndIsTriedAgainOnceOneEnds) {
  auto hanging = std::make_unique<HangingLauncher>(*launcher_);
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

}  // namespace
}  // namespace ffdc
