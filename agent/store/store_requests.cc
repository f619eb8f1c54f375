// SPDX-License-Identifier: Apache-2.0
#include "store/store_requests.h"

#include <cerrno>
#include <utility>

namespace ffdc {
namespace {

const char* TaskOf(StoreJob job) {
  switch (job) {
    case StoreJob::kList:
      return "store.list";
    case StoreJob::kVerify:
      return "store.verify_all";
    case StoreJob::kClean:
      return "store.clean";
    case StoreJob::kMigrate:
      return "store.migrate";
  }
  return "";
}

}  // namespace

StoreRequests::Done WithoutReply(std::function<void(Result<>)> done) {
  return [done = std::move(done)](Result<v1::StoreReply> reply) {
    if (!reply) return done(Unexpected(std::move(reply).error()));
    done({});
  };
}

void StoreRequests::Ask(const std::string& task, const v1::StoreArgs& args,
                        std::chrono::milliseconds deadline, Hung hung, Done done, int out_fd) {
  workers_.Start(
      task, args, deadline,
      [hung = std::move(hung), done = std::move(done)](StoreOutcome outcome) {
        if (outcome.outcome == WorkerOutcome::kAbandoned) hung(outcome);
        if (!outcome.ok()) return done(Fail(outcome.error, outcome.hung() ? ETIMEDOUT : 0));
        if (!outcome.reply.not_found().empty()) return done(Fail(outcome.reply.not_found(), ENOENT));
        done(std::move(outcome.reply));
      },
      out_fd);
}

void StoreRequests::RunJob(StoreJob job, const v1::StoreArgs& args, std::chrono::milliseconds deadline,
                           Hung hung, int out_fd, Done done) {
  if (job == StoreJob::kList)
    return Ask(TaskOf(job), args, deadline, std::move(hung), std::move(done), out_fd);
  if (job_runs_)
    return done(Fail("a verification, clean-up or migration of the store runs already: wait for it", EBUSY));
  job_runs_ = true;
  Ask(
      TaskOf(job), args, deadline, std::move(hung),
      [this, done = std::move(done)](Result<v1::StoreReply> reply) {
        job_runs_ = false;
        done(std::move(reply));
      },
      out_fd);
}

}  // namespace ffdc
