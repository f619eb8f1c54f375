// SPDX-License-Identifier: Apache-2.0
#include "store/store_workers.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "base/mem_file.h"

namespace ffdc {
namespace {

// What one worker is given, and what is kept of it here.
struct Channel {
  Fd args;
  Fd reply;
  Fd held_by_worker;  // write end of a pipe
  Fd alive;           // its read end: end of file once the worker is gone
};

Result<std::shared_ptr<Channel>> OpenChannel(const v1::StoreArgs& args) {
  auto channel = std::make_shared<Channel>();
  FFDC_ASSIGN(channel->args, MemFile(args));
  FFDC_ASSIGN(channel->reply, MemFile());
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return FailErrno("cannot make a pipe");
  channel->alive = Fd(pipe_fds[0]);
  channel->held_by_worker = Fd(pipe_fds[1]);
  return channel;
}

bool IsGone(const Fd& alive) {
  pollfd state{alive.get(), POLLIN, 0};
  return poll(&state, 1, 0) == 1;
}

}  // namespace

void StoreWorkers::Start(const std::string& task, const v1::StoreArgs& args,
                         std::chrono::milliseconds deadline, Done done, int out_fd) {
  auto channel = OpenChannel(args);
  if (!channel) {
    StoreOutcome outcome;
    outcome.error = channel.error().message;
    done(std::move(outcome));
    return;
  }
  WorkerRequest request{task, {}, {(*channel)->args.get(), (*channel)->reply.get()}, deadline};
  request.fds.push_back((*channel)->held_by_worker.get());
  if (out_fd >= 0) request.fds.push_back(out_fd);
  launcher_.Submit(request, [this, channel = *channel, done = std::move(done),
                             alive = std::weak_ptr<bool>(alive_)](WorkerReport report) {
    if (alive.expired()) return;
    StoreOutcome outcome;
    outcome.outcome = report.outcome;
    outcome.error = std::move(report.error);
    outcome.elapsed = std::chrono::nanoseconds(report.elapsed_ns);
    if (const auto read = ReadMessage(channel->reply.get(), &outcome.reply); !read) outcome.reply.Clear();
    if (outcome.outcome == WorkerOutcome::kAbandoned) abandoned_.push_back(std::move(channel->alive));
    done(std::move(outcome));
  });
  (*channel)->held_by_worker.reset();
}

size_t StoreWorkers::Abandoned() {
  abandoned_.erase(std::remove_if(abandoned_.begin(), abandoned_.end(), IsGone), abandoned_.end());
  return abandoned_.size();
}

}  // namespace ffdc
