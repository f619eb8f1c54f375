// SPDX-License-Identifier: Apache-2.0
// Starts the workers "store.*" and knows which of those given up as hanging
// still exist. Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/launcher.h"
#include "base/lifeline.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

struct StoreOutcome {
  WorkerOutcome outcome = WorkerOutcome::kError;
  std::string error;
  // Also after an outcome other than kOk: what the worker had done until then.
  v1::StoreReply reply;
  std::chrono::nanoseconds elapsed{0};

  [[nodiscard]] bool ok() const { return outcome == WorkerOutcome::kOk; }
  // The store (or the spool's disk) does not answer.
  [[nodiscard]] bool hung() const {
    return outcome == WorkerOutcome::kTimedOut || outcome == WorkerOutcome::kAbandoned;
  }
  // It could not clear up behind itself.
  [[nodiscard]] bool was_killed() const {
    return outcome == WorkerOutcome::kTimedOut || outcome == WorkerOutcome::kCrashed;
  }
};

class StoreWorkers {
 public:
  using Done = std::function<void(StoreOutcome)>;

  explicit StoreWorkers(Launcher& launcher) : launcher_(launcher) {}

  // out_fd: an own descriptor for the task, or -1. `done` runs at most once: not after this object's end.
  void Start(const std::string& task, const v1::StoreArgs& args, std::chrono::milliseconds deadline,
             Done done, int out_fd = -1);
  // Workers that were given up and have not died since.
  size_t Abandoned();

 private:
  Launcher& launcher_;
  std::vector<Lifeline> abandoned_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ffdc
