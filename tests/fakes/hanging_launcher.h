// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/launcher.h"

namespace ffdc {

// Gives every worker up as hanging but those of one task, until told that they
// end and that new ones work again.
class HangingLauncher final : public Launcher {
 public:
  explicit HangingLauncher(Launcher& real, std::string but = {}) : real_(real), but_(std::move(but)) {}

  void Submit(const WorkerRequest& request, std::function<void(WorkerReport)> done) override {
    if (!hanging_ || request.task == but_) return real_.Submit(request, std::move(done));
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
  std::string but_;
  bool hanging_ = true;
  size_t started_ = 0;
  std::vector<Fd> held_;
  std::vector<std::function<void(WorkerReport)>> reports_;
};

}  // namespace ffdc
