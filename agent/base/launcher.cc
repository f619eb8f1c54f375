// SPDX-License-Identifier: Apache-2.0
// The agent's side of the launcher; launcher_process.cc is the other one.
#include "base/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <deque>

#include "base/launcher_process.h"

namespace ffdc {
namespace {

class LauncherClient final : public Launcher {
 public:
  LauncherClient(Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

  ~LauncherClient() override {
    socket_.reset();  // the launcher ends at end of file, and its workers with it
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  void Submit(const WorkerRequest& request, std::function<void(WorkerReport)> done) override {
    const uint64_t id = ++last_id_;
    waiting_[id] = std::move(done);
    if (request.argument.size() > kMaxArgumentBytes || request.fds.size() > kMaxWorkerFds) {
      Later(id, "worker task " + request.task + " was given too large an argument");
      return;
    }
    Outgoing message{launcher::EncodeRequest(id, request), {}};
    for (const int fd : request.fds) {
      message.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
      if (!message.fds.back().valid()) {
        Later(id, "cannot hand a file descriptor to worker task " + request.task);
        return;
      }
    }
    outbox_.push_back(std::move(message));
    Flush();
  }

  int fd() const override { return socket_.get(); }

  void Dispatch() override {
    Flush();
    for (;;) {
      auto packet = launcher::Receive(socket_.get(), MSG_DONTWAIT);
      if (!packet) break;
      if (packet->data.empty()) {
        FailAll("the launcher process ended unexpectedly: restart ffdcd");
        break;
      }
      auto report = launcher::DecodeReport(packet->data);
      if (report) Finish(report->id, std::move(report->report));
    }
    std::deque<std::pair<uint64_t, std::string>> failed;
    failed.swap(failed_);
    for (auto& [id, error] : failed) Finish(id, {WorkerOutcome::kError, {}, std::move(error), 0});
  }

  size_t running() const override { return waiting_.size(); }
  uint64_t abandoned() const override { return abandoned_; }
  bool alive() const override { return alive_; }

  WorkerReport RunToEnd(const WorkerRequest& request) override {
    bool ended = false;
    WorkerReport result;
    Submit(request, [&](WorkerReport report) {
      result = std::move(report);
      ended = true;
    });
    while (!ended) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      poll(&waiting, 1, outbox_.empty() && failed_.empty() ? 1000 : 10);
      Dispatch();
    }
    return result;
  }

 private:
  struct Outgoing {
    std::string data;
    std::vector<Fd> fds;
  };

  // What does not fit into the socket now goes out at the next call: the agent's
  // loop never waits for the launcher.
  void Flush() {
    while (!outbox_.empty()) {
      const Outgoing& message = outbox_.front();
      const int error = launcher::Send(socket_.get(), message.data, message.fds, MSG_DONTWAIT);
      if (error == EAGAIN) return;
      outbox_.pop_front();
      if (error != 0) FailAll("the launcher process does not answer: restart ffdcd");
    }
  }

  void Later(uint64_t id, std::string error) { failed_.emplace_back(id, std::move(error)); }

  void FailAll(const std::string& error) {
    alive_ = false;
    for (const auto& [id, done] : waiting_) Later(id, error);
  }

  void Finish(uint64_t id, WorkerReport report) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return;  // reported already, then killed at its deadline
    if (report.outcome == WorkerOutcome::kAbandoned) ++abandoned_;
    const auto done = std::move(found->second);
    waiting_.erase(found);
    done(std::move(report));
  }

  Fd socket_;
  pid_t pid_;
  uint64_t last_id_ = 0;
  uint64_t abandoned_ = 0;
  bool alive_ = true;
  std::map<uint64_t, std::function<void(WorkerReport)>> waiting_;
  std::deque<Outgoing> outbox_;
  std::deque<std::pair<uint64_t, std::string>> failed_;
};

}  // namespace

Result<std::unique_ptr<Launcher>> Launcher::Start(const WorkerTasks& tasks,
                                                  const std::function<void()>& preload) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return FailErrno("cannot make the launcher's socket");
  Fd mine(pair[0]);
  Fd theirs(pair[1]);
  const pid_t agent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FailErrno("cannot fork the launcher");
  if (pid == 0) {
    mine.reset();
    launcher::RunProcess(std::move(theirs), tasks, agent, preload);
  }
  return std::unique_ptr<Launcher>(std::make_unique<LauncherClient>(std::move(mine), pid));
}

}  // namespace ffdc
