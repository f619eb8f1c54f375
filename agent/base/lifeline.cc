// SPDX-License-Identifier: Apache-2.0
#include "base/lifeline.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace ffdc {

Result<Lifeline> Lifeline::Create() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FailErrno("cannot make a pipe");
  return Lifeline(Fd(ends[0]), Fd(ends[1]));
}

bool Lifeline::is_cut() const {
  pollfd state{own_end_.get(), POLLIN, 0};
  return poll(&state, 1, 0) == 1;
}

}  // namespace ffdc
