// SPDX-License-Identifier: Apache-2.0
// What a person asks of the store: runs beside shipping and retention. Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "store/shipper.h"
#include "store/store_workers.h"

namespace ffdc {

class StoreRequests {
 public:
  using Done = std::function<void(Result<v1::StoreReply>)>;
  // Told of a worker that not even SIGKILL ended.
  using Hung = std::function<void(const StoreOutcome&)>;

  explicit StoreRequests(StoreWorkers& workers) : workers_(workers) {}

  void Ask(const std::string& task, const v1::StoreArgs& args, std::chrono::milliseconds deadline, Hung hung,
           Done done, int out_fd = -1);
  // One at a time, except for lists: each reads, or writes, all of a store. Code EBUSY: one runs already.
  void RunJob(StoreJob job, const v1::StoreArgs& args, std::chrono::milliseconds deadline, Hung hung,
              int out_fd, Done done);

 private:
  StoreWorkers& workers_;
  bool job_runs_ = false;
};

StoreRequests::Done WithoutReply(std::function<void(Result<>)> done);

}  // namespace ffdc
