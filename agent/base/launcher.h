// SPDX-License-Identifier: Apache-2.0
// Worker processes for whatever may hang (DESIGN rule 1). Threads, gRPC and BPF
// do not survive fork, so a small launcher process is forked before the first
// thread starts; on request it forks a worker, which runs one registered task
// and exits. A worker that passes its deadline is killed; one that does not even
// die (D state) is abandoned and counted, never waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

// Runs in the worker process. argument and the reply are the task's own bytes
// (usually a serialized protobuf). fds are those of the request, in order, owned
// by the worker process. The reply may be at most kMaxReplyBytes long.
using WorkerTask = std::function<Result<std::string>(std::string_view argument, std::span<const int> fds)>;
using WorkerTasks = std::map<std::string, WorkerTask, std::less<>>;

inline constexpr size_t kMaxArgumentBytes = 128u << 10;
inline constexpr size_t kMaxReplyBytes = 128u << 10;

enum class WorkerOutcome {
  kOk,
  kError,      // the task returned an error
  kTimedOut,   // killed at its deadline
  kCrashed,    // died of a signal or an exception
  kAbandoned,  // did not die when killed
};

struct WorkerReport {
  WorkerOutcome outcome = WorkerOutcome::kError;
  std::string reply;  // of the task, when kOk
  std::string error;  // else: what happened, ready to show
  uint64_t elapsed_ns = 0;
};

struct WorkerRequest {
  std::string task;      // a name in WorkerTasks
  std::string argument;  // at most kMaxArgumentBytes
  std::vector<int> fds;  // at most 8; passed on (duplicated), still owned by the caller
  // From its start, or from its last ReportProgress() (base/progress.h). The time it was ready to run and
  // got no processor does not count, up to a minute.
  std::chrono::milliseconds deadline{10000};
  // How long its worker stays afterwards to take another request of its stage (the task's name up to
  // the first '.') that may be kept as well: what it is connected to stays so. 0: it ends at once.
  std::chrono::milliseconds keep{0};
};

class Launcher {
 public:
  // Forks the launcher process. Call before the first thread and before gRPC and
  // libbpf are used. The launcher and its workers end when the agent does. preload: what the launcher
  // process does first, so that its workers find it done; it must not start a thread.
  static Result<std::unique_ptr<Launcher>> Start(const WorkerTasks& tasks,
                                                 const std::function<void()>& preload = {});
  virtual ~Launcher() = default;

  // Starts a worker; `done` runs in Dispatch(), exactly once. All calls from one thread.
  virtual void Submit(const WorkerRequest& request, std::function<void(WorkerReport)> done) = 0;
  // Readable when Dispatch() has something to do.
  [[nodiscard]] virtual int fd() const = 0;
  virtual void Dispatch() = 0;
  [[nodiscard]] virtual size_t running() const = 0;
  [[nodiscard]] virtual uint64_t abandoned() const = 0;
  // False once the launcher process is gone: no worker can be started any more.
  [[nodiscard]] virtual bool alive() const { return true; }
  // Submits and dispatches until this one is done. For start-up, before the loop runs.
  virtual WorkerReport RunToEnd(const WorkerRequest& request) = 0;
};

}  // namespace ffdc
