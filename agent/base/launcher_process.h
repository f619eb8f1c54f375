// SPDX-License-Identifier: Apache-2.0
// The launcher process and what it says to the agent (base/launcher.h): packets
// on a SOCK_SEQPACKET pair. Internal to base/.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/launcher.h"
#include "base/result.h"

namespace ffdc {

inline constexpr size_t kMaxWorkerFds = 8;

namespace launcher {

struct Packet {
  std::string data;  // empty: end of file
  std::vector<Fd> fds;
};
// 0, or an errno. flags as for sendmsg(2).
int Send(int socket, std::string_view data, const std::vector<Fd>& fds, int flags);
Result<Packet> Receive(int socket, int flags);

struct Request {
  uint64_t id = 0;
  uint32_t deadline_ms = 0;
  uint64_t keep_ms = 0;
  std::string task;
  std::string argument;
};
std::string EncodeRequest(uint64_t id, const WorkerRequest& request);
Result<Request> DecodeRequest(std::string_view data);

struct Report {
  uint64_t id = 0;
  WorkerReport report;
};
std::string EncodeReport(const Report& report);
Result<Report> DecodeReport(std::string_view data);

// Serves requests until the agent goes away; never returns.
[[noreturn]] void RunProcess(Fd socket, const WorkerTasks& tasks, pid_t agent,
                             const std::function<void()>& preload);

}  // namespace launcher
}  // namespace ffdc
