// SPDX-License-Identifier: Apache-2.0
#include "ctl/interrupt.h"

#include <csignal>

namespace ffdc::ctl {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void Note(int /*signal*/) { interrupted = 1; }

}  // namespace

void CatchInterrupt() {
  struct sigaction action {};
  action.sa_handler = Note;  // without SA_RESTART: waiting system calls end
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a reader that goes away is a failed write like any other
}

bool Interrupted() { return interrupted != 0; }

}  // namespace ffdc::ctl
