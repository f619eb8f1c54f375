// SPDX-License-Identifier: Apache-2.0
#include "store/store_workers.h"

#include <utility>

#include "base/mem_file.h"

namespace ffdc {
namespace {

// A store may be dear to connect to: its worker stays while there is something to do.
constexpr std::chrono::seconds kKeep{10};

// What one worker is given, and what is kept of it here.
struct Channel {
  Fd args;
  Fd reply;
  Lifeline lifeline;
};

Result<std::shared_ptr<Channel>> OpenChannel(const v1::StoreArgs& args) {
  FFDC_ASSIGN(Fd argument, MemFile(args));
  FFDC_ASSIGN(Fd reply, MemFile());
  FFDC_ASSIGN(Lifeline lifeline, Lifeline::Create());
  return std::make_shared<Channel>(Channel{std::move(argument), std::move(reply), std::move(lifeline)});
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
  WorkerRequest request{task, {}, {(*channel)->args.get(), (*channel)->reply.get()}, deadline, kKeep};
  request.fds.push_back((*channel)->lifeline.worker_end());
  if (out_fd >= 0) request.fds.push_back(out_fd);
  launcher_.Submit(request, [this, channel = *channel, done = std::move(done),
                             alive = std::weak_ptr<bool>(alive_)](WorkerReport report) {
    if (alive.expired()) return;
    StoreOutcome outcome;
    outcome.outcome = report.outcome;
    outcome.error = std::move(report.error);
    outcome.elapsed = std::chrono::nanoseconds(report.elapsed_ns);
    if (const auto read = ReadMessage(channel->reply.get(), &outcome.reply); !read) outcome.reply.Clear();
    if (outcome.outcome == WorkerOutcome::kAbandoned) abandoned_.push_back(std::move(channel->lifeline));
    done(std::move(outcome));
  });
  (*channel)->lifeline.HandedOver();
}

size_t StoreWorkers::Abandoned() {
  std::erase_if(abandoned_, [](const Lifeline& worker) { return worker.is_cut(); });
  return abandoned_.size();
}

}  // namespace ffdc
