// SPDX-License-Identifier: Apache-2.0
// A life that ends at a crash point.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

namespace ffdc {

// Runs `life` in a process that is killed at the point. Returns whether it was reached.
inline bool CrashesAt(const std::string& point, const std::function<void()>& life) {
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);  // a crash point kills the whole group
    setenv("FFDC_CRASH_AT", point.c_str(), 1);
    life();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

}  // namespace ffdc
