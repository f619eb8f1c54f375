// SPDX-License-Identifier: Apache-2.0
// Packets between agent, launcher and workers. Both ends are one binary, so the
// fields are laid out as they lie in memory.
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/launcher_process.h"

namespace ffdc::launcher {
namespace {

constexpr size_t kMaxPacketBytes = kMaxArgumentBytes + 4096;

struct RequestHead {
  uint64_t id;
  uint64_t keep_ms;
  uint32_t deadline_ms;
  uint32_t task_bytes;
};

struct ReportHead {
  uint64_t id;
  uint64_t elapsed_ns;
  uint32_t outcome;
  uint32_t error_bytes;
};

template <class Head>
std::string Pack(const Head& head, std::string_view first, std::string_view second) {
  std::string data(sizeof head, '\0');
  memcpy(data.data(), &head, sizeof head);
  return data.append(first).append(second);
}

union ControlBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(kMaxWorkerFds * sizeof(int))> bytes;
};

}  // namespace

int Send(int socket, std::string_view data, const std::vector<Fd>& fds, int flags) {
  iovec part{const_cast<char*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control{};
  if (!fds.empty()) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  while (sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Result<Packet> Receive(int socket, int flags) {
  Packet packet;
  packet.data.resize(kMaxPacketBytes);
  iovec part{packet.data.data(), packet.data.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return FailErrno("cannot receive from the launcher's socket");
  packet.data.resize(static_cast<size_t>(got));
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
      packet.fds.emplace_back(fd);
    }
  }
  return packet;
}

std::string EncodeRequest(uint64_t id, const WorkerRequest& request) {
  const RequestHead head{id, static_cast<uint64_t>(request.keep.count()),
                         static_cast<uint32_t>(request.deadline.count()),
                         static_cast<uint32_t>(request.task.size())};
  return Pack(head, request.task, request.argument);
}

Result<Request> DecodeRequest(std::string_view data) {
  RequestHead head{};
  if (data.size() < sizeof head) return Fail("malformed worker request");
  memcpy(&head, data.data(), sizeof head);
  data.remove_prefix(sizeof head);
  if (head.task_bytes > data.size()) return Fail("malformed worker request");
  return Request{head.id, head.deadline_ms, head.keep_ms, std::string(data.substr(0, head.task_bytes)),
                 std::string(data.substr(head.task_bytes))};
}

std::string EncodeReport(const Report& report) {
  const ReportHead head{report.id, report.report.elapsed_ns, static_cast<uint32_t>(report.report.outcome),
                        static_cast<uint32_t>(report.report.error.size())};
  return Pack(head, report.report.error, report.report.reply);
}

Result<Report> DecodeReport(std::string_view data) {
  ReportHead head{};
  if (data.size() < sizeof head) return Fail("malformed worker report");
  memcpy(&head, data.data(), sizeof head);
  data.remove_prefix(sizeof head);
  if (head.error_bytes > data.size() || head.outcome > static_cast<uint32_t>(WorkerOutcome::kAbandoned))
    return Fail("malformed worker report");
  Report report;
  report.id = head.id;
  report.report.outcome = static_cast<WorkerOutcome>(head.outcome);
  report.report.elapsed_ns = head.elapsed_ns;
  report.report.error = data.substr(0, head.error_bytes);
  report.report.reply = data.substr(head.error_bytes);
  return report;
}

}  // namespace ffdc::launcher
