// SPDX-License-Identifier: Apache-2.0
// Tells through a pipe how long work gets on; who reads it may go away, which ends the work.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc {

class ProgressPipe {
 public:
  explicit ProgressPipe(int fd) : fd_(fd) {}

  // To be filled in. What is repeated in it goes out once.
  v1::StoreProgress& next() { return next_; }
  // Sends it, if some time has passed or much has come together. Code EPIPE: nobody listens any more.
  Result<> Tell();
  // Sends the last one.
  Result<> Finish();

 private:
  Result<> Send();

  int fd_;
  v1::StoreProgress next_;
  std::chrono::steady_clock::time_point sent_at_;
};

}  // namespace ffdc
