// SPDX-License-Identifier: Apache-2.0
#include "control/lasting_call.h"

#include <poll.h>

#include <cerrno>

namespace ffdc::control {

grpc::Status ToStatus(const Error& error) {
  switch (error.code) {
    case ENOENT:
      return {grpc::StatusCode::NOT_FOUND, error.message};
    case EINVAL:
      return {grpc::StatusCode::INVALID_ARGUMENT, error.message};
    case ETIMEDOUT:
      return {grpc::StatusCode::DEADLINE_EXCEEDED, error.message};
    case ECANCELED:
      return {grpc::StatusCode::UNAVAILABLE, error.message};
    case EBUSY:
    case ENOTSUP:
      return {grpc::StatusCode::FAILED_PRECONDITION, error.message};
    default:
      return {grpc::StatusCode::INTERNAL, error.message};
  }
}

Ready WaitReadable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  const int ready = poll(&entry, 1, static_cast<int>(kPollInterval.count()));
  if (ready > 0) return Ready::kData;
  return ready == 0 || errno == EINTR ? Ready::kNothingYet : Ready::kFailed;
}

}  // namespace ffdc::control
