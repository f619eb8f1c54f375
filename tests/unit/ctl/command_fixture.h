// SPDX-License-Identifier: Apache-2.0
// The real ffdcctl against a fake agent on a real socket.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "control/server.h"
#include "fakes/fake_backend.h"
#include "fakes/temp_dir.h"

namespace ffdc {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

inline std::pair<Fd, Fd> MakePipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  return {Fd(ends[0]), Fd(ends[1])};
}

// Both streams to their end, whichever fills first.
inline void Drain(const Fd& out, const Fd& err, Outcome& outcome) {
  pollfd entries[2] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
  std::string* const texts[2] = {&outcome.out, &outcome.err};
  while (entries[0].fd >= 0 || entries[1].fd >= 0) {
    poll(entries, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (entries[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = read(entries[i].fd, buffer, sizeof(buffer));
      if (got <= 0) {
        entries[i].fd = -1;
      } else {
        texts[i]->append(buffer, static_cast<size_t>(got));
      }
    }
  }
}

class CommandTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = ControlServer::Start(socket_, backend_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  // Runs ffdcctl in the temporary folder; input: its standard input.
  Outcome Run(std::vector<std::string> arguments, const std::string& input = "") {
    Outcome outcome;
    auto [out_read, out_write] = MakePipe();
    auto [err_read, err_write] = MakePipe();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string input_path = dir_ / ".input";
    std::ofstream(input_path) << input;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input_path.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err_write.get(), STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, dir_.path().c_str());
    arguments.insert(arguments.begin(), FFDCCTL);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::string socket = "FFDC_SOCKET=" + socket_;
    std::vector<char*> environment{socket.data()};
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!std::string_view(*entry).starts_with("FFDC_SOCKET=")) environment.push_back(*entry);
    }
    environment.push_back(nullptr);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, FFDCCTL, &actions, nullptr, argv.data(), environment.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    out_write.reset();
    err_write.reset();
    Drain(out_read, err_read, outcome);
    int status = 0;
    waitpid(pid, &status, 0);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return outcome;
  }

  void ExpectComplaint(const Outcome& outcome, int exit_code, const std::string& words) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, testing::StartsWith("ffdcctl: "));
    EXPECT_THAT(outcome.err, testing::HasSubstr(words));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }

  TempDir dir_;
  std::string socket_ = dir_ / "ffdcd.sock";
  fakes::FakeBackend backend_;
  std::unique_ptr<ControlServer> server_;
};

}  // namespace ffdc
