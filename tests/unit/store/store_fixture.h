// SPDX-License-Identifier: Apache-2.0
// A shipper with real workers, a spool and a store in a folder of the test's own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "fakes/dispatch.h"
#include "fakes/sealed_capture.h"
#include "fakes/temp_dir.h"
#include "store/shipper.h"

namespace ffdc {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.spool_dir = dir_ / "spool";
    options_.store_url = "dir:" + (dir_ / "store");
    options_.cluster = "lab";
    options_.node = "node1";
    StartLauncher(StoreTasks());
  }

  void StartLauncher(WorkerTasks tasks) {
    shipper_.reset();
    launcher_.reset();  // a second one would inherit its socket
    auto launcher = Launcher::Start(std::move(tasks));
    ASSERT_TRUE(launcher) << launcher.error().message;
    launcher_ = std::move(*launcher);
  }

  // A new life of the agent.
  void StartShipper() {
    ShipperCallbacks callbacks;
    callbacks.incident = [this](const std::string& id) {
      v1::Incident incident;
      if (know_incidents_) {
        incident.set_id(id);
        incident.set_summary("as known when it left");
      }
      return incident;
    };
    callbacks.keep_ids = [this] { return keep_ids_; };
    callbacks.stored = [this](const v1::Manifest& manifest, const std::string& where, const std::string& by) {
      EXPECT_EQ(where, options_.store_url);
      stored_by_.push_back(by);
      stored_.push_back(manifest.incident_id());
    };
    callbacks.stored_for_peer = [this](const v1::Manifest& manifest, const std::string& problem) {
      stored_for_.push_back(manifest.node());
      problems_.push_back(problem);
    };
    callbacks.dropped = [this](const std::string& id, const std::string& reason) {
      dropped_.push_back(id);
      reasons_.push_back(reason);
    };
    callbacks.store_state = [this](const StoreState& state) { states_.push_back(state); };
    callbacks.found = [this](const v1::Manifest& manifest) { found_.push_back(manifest.incident_id()); };
    shipper_ = Shipper::Create(options_, *launcher_, std::move(callbacks));
  }

  void Dispatch() { DispatchOnce(*launcher_); }

  // Ticks until it is so; the test's own time limit ends what never comes.
  void Until(const std::function<bool()>& condition) {
    while (!condition()) {
      shipper_->Tick();
      Dispatch();
    }
  }

  // Until nothing runs and nothing starts.
  void Settle() {
    do {
      shipper_->Tick();
      while (launcher_->running() != 0) Dispatch();
      shipper_->Tick();
    } while (launcher_->running() != 0);
  }

  v1::Manifest Seal(SealedCaptureOptions options = {}) {
    if (options.incident_id.empty()) options.incident_id = ids_.Next();
    return MakeSealedCapture(options_.spool_dir, options);
  }
  v1::Manifest SealRepeat() {
    SealedCaptureOptions options;
    options.repeat = true;
    return Seal(options);
  }
  // Sealed, and shipped until the store has it.
  v1::Manifest Store(SealedCaptureOptions options = {}) {
    const auto manifest = Seal(std::move(options));
    const size_t before = stored_.size();
    if (shipper_ == nullptr) StartShipper();
    shipper_->Enqueue(manifest);
    Until([&] { return stored_.size() > before; });
    return manifest;
  }

  std::filesystem::path Spooled(const std::string& id) const {
    return std::filesystem::path(options_.spool_dir) / "sealed" / id;
  }
  std::filesystem::path ClusterRoot() const { return dir_.path() / "store/v1/lab"; }
  std::filesystem::path Stored(const std::string& id) const {
    return ClusterRoot() / "incidents" / FormatDate(UuidWallNs(id)) / id;
  }
  static size_t Count(const std::filesystem::path& folder) { return ListFolder(folder).value().size(); }

  v1::VerifyReport VerifyNow(const std::string& id) {
    v1::VerifyReport report;
    bool done = false;
    shipper_->Verify(id, [&](Result<v1::VerifyReport> result) {
      EXPECT_TRUE(result) << result.error().message;
      if (result) report = std::move(*result);
      done = true;
    });
    while (!done) Dispatch();
    return report;
  }

  TempDir dir_;
  UuidGenerator ids_{SystemClock()};
  ShipperOptions options_;
  bool know_incidents_ = true;
  std::vector<std::string> keep_ids_;
  std::vector<std::string> stored_, stored_by_, stored_for_, problems_, dropped_, reasons_, found_;
  std::vector<StoreState> states_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Shipper> shipper_;
};

}  // namespace ffdc
