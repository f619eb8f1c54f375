// SPDX-License-Identifier: Apache-2.0
// Tells whether a worker still exists, also one that was given up as hanging:
// the write end of a pipe is the worker's alone, and ends with it.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

class Lifeline {
 public:
  static Result<Lifeline> Create();

  // For WorkerRequest::fds; the task need not know of it.
  [[nodiscard]] int worker_end() const { return worker_end_.get(); }
  // After Launcher::Submit.
  void HandedOver() { worker_end_.reset(); }
  // The worker is gone, or was never started.
  [[nodiscard]] bool is_cut() const;

 private:
  Lifeline(Fd own_end, Fd worker_end) : own_end_(std::move(own_end)), worker_end_(std::move(worker_end)) {}

  Fd own_end_;
  Fd worker_end_;
};

}  // namespace ffdc
