// SPDX-License-Identifier: Apache-2.0
// What the calls have in common that last: a limit of their number, and waiting for a pipe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>

#include "base/result.h"

namespace ffdc::control {

// How soon a lasting call sees that its client is gone; gRPC's sync API cannot wake it.
inline constexpr std::chrono::milliseconds kPollInterval(200);
// Who writes into a pipe is a worker with a deadline of its own; this one is for a worker that hangs in the
// kernel.
inline constexpr std::chrono::seconds kIdleLimit(90);
// Calls that last (watches, pulls, measurements) hold a thread each; more of them are refused, so that there
// is always a thread left for the short ones.
inline constexpr int kMaxStreams = 5;

grpc::Status ToStatus(const Error& error);

template <class T>
grpc::Status Answer(Result<T> result, T* reply) {
  if (!result) return ToStatus(result.error());
  *reply = std::move(*result);
  return grpc::Status::OK;
}

// Counts itself among the calls that last.
class StreamSlot {
 public:
  explicit StreamSlot(std::atomic<int>& streams) : streams_(streams), granted_(++streams <= kMaxStreams) {}
  ~StreamSlot() { --streams_; }
  StreamSlot(const StreamSlot&) = delete;
  StreamSlot& operator=(const StreamSlot&) = delete;

  [[nodiscard]] bool granted() const { return granted_; }
  static grpc::Status Refusal() {
    return {
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        std::to_string(kMaxStreams) + " watches, pulls and other long calls run already: end one of them"};
  }

 private:
  std::atomic<int>& streams_;
  const bool granted_;
};

enum class Ready { kData, kNothingYet, kFailed };
Ready WaitReadable(int fd);

}  // namespace ffdc::control
