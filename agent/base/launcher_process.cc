// SPDX-License-Identifier: Apache-2.0
#include "base/launcher_process.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <exception>
#include <list>
#include <memory>
#include <new>

#include "base/clock.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/text.h"

namespace ffdc {
namespace {

// Shared by the launcher and one worker: when it last got on, CLOCK_MONOTONIC. The worker's own in a
// worker, nullptr elsewhere.
using Progress = std::atomic<uint64_t>;
Progress* own_progress = nullptr;

}  // namespace

void ReportProgress() {
  if (own_progress != nullptr) own_progress->store(SystemClock().MonotonicNs(), std::memory_order_relaxed);
}

}  // namespace ffdc

namespace ffdc::launcher {
namespace {

struct UnmapProgress {
  void operator()(Progress* progress) const { munmap(progress, sizeof *progress); }
};
using ProgressPtr = std::unique_ptr<Progress, UnmapProgress>;

// nullptr where there is no memory: the deadline counts from the start then.
ProgressPtr ShareProgress() {
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return ProgressPtr(memory == MAP_FAILED ? nullptr : new (memory) Progress(0));
}

constexpr uint64_t kNsPerMs = 1'000'000;
// How long a killed worker may take to die before it counts as hanging in the kernel.
constexpr uint64_t kReapNs = 1000 * kNsPerMs;
// How long a worker may wait for a processor beyond its deadline.
constexpr uint64_t kMaxStarvedNs = 60'000 * kNsPerMs;

// Of a process's first thread, so far (Documentation/scheduler/sched-stats.rst). All 0: not known.
struct Schedule {
  uint64_t ran_ns = 0;
  uint64_t starved_ns = 0;  // ready to run without a processor, until it last got one
};

Schedule ScheduleOf(pid_t pid) {
  const std::string text = ReadLine("/proc/" + std::to_string(pid) + "/schedstat");
  std::string_view rest = text;
  const auto ran_ns = ParseNumber<uint64_t>(NextWord(rest));
  return {ran_ns.value_or(0), ParseNumber<uint64_t>(NextWord(rest)).value_or(0)};
}

// It runs, or would if it had a processor: it waits for nothing (proc(5)).
bool IsReady(pid_t pid) {
  const std::string text = ReadLine("/proc/" + std::to_string(pid) + "/stat");
  return BehindTaskName(text).starts_with('R');
}

struct Worker {
  uint64_t id = 0;
  pid_t pid = 0;
  std::string task;
  uint64_t started_ns = 0;
  uint64_t allowed_ns = 0;  // without progress
  uint64_t killed_ns = 0;   // 0: it was not
  Schedule before;          // when this request began
  uint64_t starved_ns = 0;  // since then, as far as it was looked at
  ProgressPtr progress;
  bool abandoned = false;
  // Of one that may be kept: requests go there, reports come from there.
  Fd channel;
  uint64_t keep_ns = 0;

  // Waits for another request. Nobody waits for it: it has no id.
  [[nodiscard]] bool idle() const { return id == 0; }

  [[nodiscard]] uint64_t deadline_ns() const {
    const uint64_t progress_ns = progress != nullptr ? progress->load(std::memory_order_relaxed) : 0;
    return std::max(started_ns, progress_ns) + allowed_ns + std::min(starved_ns, kMaxStarvedNs);
  }
};

// What shares kept workers: "store" of "store.ship".
std::string_view StageOf(std::string_view task) { return task.substr(0, task.find('.')); }

uint64_t Now() { return SystemClock().MonotonicNs(); }

void DieWithParent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
}

WorkerReport RunTask(const WorkerTasks& tasks, const Request& request, std::span<const int> fds) {
  WorkerReport report;
  const auto task = tasks.find(request.task);
  if (task == tasks.end()) {
    report.error = "there is no worker task named " + request.task;
    return report;
  }
  try {
    auto reply = task->second(request.argument, fds);
    if (!reply) {
      report.error = reply.error().message;
    } else if (reply->size() > kMaxReplyBytes) {
      report.error = "worker task " + request.task + " gave too long an answer";
    } else {
      report.outcome = WorkerOutcome::kOk;
      report.reply = std::move(*reply);
    }
  } catch (const std::exception& exception) {
    report.outcome = WorkerOutcome::kCrashed;
    report.error = "worker task " + request.task + ": " + exception.what();
  }
  report.error.resize(std::min(report.error.size(), size_t{4000}));
  return report;
}

std::string Perform(const WorkerTasks& tasks, const Request& request, const std::vector<Fd>& fds) {
  prctl(PR_SET_NAME, ("ffdc:" + request.task).substr(0, 15).c_str());
  const uint64_t started = Now();
  std::vector<int> numbers;
  numbers.reserve(fds.size());
  for (const Fd& fd : fds) numbers.push_back(fd.get());
  Report report{request.id, RunTask(tasks, request, numbers)};
  report.report.elapsed_ns = Now() - started;
  return EncodeReport(report);
}

// The report goes to `socket`. keep: so do further requests come from there, until it ends.
[[noreturn]] void RunWorker(int socket, const WorkerTasks& tasks, Request request, Packet packet, bool keep) {
  for (;;) {
    Send(socket, Perform(tasks, request, packet.fds), {}, 0);
    if (!keep) _exit(0);
    packet = {};  // what it was given for one request it does not hold beyond
    auto next = Receive(socket, 0);
    if (!next || next->data.empty()) _exit(0);
    packet = std::move(*next);
    auto decoded = DecodeRequest(packet.data);
    if (!decoded) _exit(1);
    request = std::move(*decoded);
  }
}

class Process {
 public:
  Process(Fd socket, const WorkerTasks& tasks) : socket_(std::move(socket)), tasks_(tasks) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &children, nullptr);
    children_ = Fd(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  [[noreturn]] void Run() {
    for (;;) {
      std::vector<pollfd> sources{{socket_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}};
      for (const Worker& worker : workers_) {
        if (worker.channel.valid()) sources.push_back({worker.channel.get(), POLLIN, 0});
      }
      poll(sources.data(), sources.size(), NextTimeoutMs());
      for (Worker& worker : workers_) TakeReport(worker);
      if (sources[1].revents != 0) Reap();
      CheckDeadlines();
      if (sources[0].revents != 0) Serve();
    }
  }

 private:
  void Serve() {
    auto packet = Receive(socket_.get(), MSG_DONTWAIT);
    if (!packet) return;
    if (packet->data.empty()) {
      for (const Worker& worker : workers_) kill(worker.pid, SIGKILL);
      _exit(0);
    }
    auto request = DecodeRequest(packet->data);
    if (!request) return;
    if (request->keep_ms == 0 || !HandToKept(*request, *packet))
      Fork(std::move(*request), std::move(*packet));
  }

  static void Begin(Worker& worker, const Request& request) {
    worker.id = request.id;
    worker.task = request.task;
    worker.started_ns = Now();
    worker.allowed_ns = request.deadline_ms * kNsPerMs;
    worker.keep_ns = request.keep_ms * kNsPerMs;
    worker.before = worker.pid != 0 ? ScheduleOf(worker.pid) : Schedule();
    worker.starved_ns = 0;
    if (worker.progress != nullptr) worker.progress->store(0, std::memory_order_relaxed);
  }

  bool HandToKept(const Request& request, const Packet& packet) {
    Worker* const worker = FindIdle(StageOf(request.task));
    if (worker == nullptr || Send(worker->channel.get(), packet.data, packet.fds, MSG_DONTWAIT) != 0)
      return false;  // it is just dying
    Begin(*worker, request);
    return true;
  }

  Worker* FindIdle(std::string_view stage) {
    const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) {
      return worker.idle() && worker.killed_ns == 0 && worker.channel.valid() &&
             StageOf(worker.task) == stage;
    });
    return found == workers_.end() ? nullptr : &*found;
  }

  void Fork(Request request, Packet packet) {
    Worker worker;
    worker.progress = ShareProgress();
    Begin(worker, request);
    const bool keep = request.keep_ms != 0;
    Fd theirs;
    int pair[2];
    if (keep && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
      return Tell(worker, WorkerOutcome::kError,
                  std::string("cannot fork a worker: ") + strerrordesc_np(errno));
    if (keep) {
      worker.channel = Fd(pair[0]);
      theirs = Fd(pair[1]);
    }
    const pid_t self = getpid();
    worker.pid = fork();
    if (worker.pid == 0) {
      DieWithParent(self);
      own_progress = worker.progress.get();
      sigset_t none;
      sigemptyset(&none);
      pthread_sigmask(SIG_SETMASK, &none, nullptr);
      RunWorker(keep ? theirs.get() : socket_.get(), tasks_, std::move(request), std::move(packet), keep);
    }
    if (worker.pid < 0)
      return Tell(worker, WorkerOutcome::kError,
                  std::string("cannot fork a worker: ") + strerrordesc_np(errno));
    workers_.push_back(std::move(worker));
  }

  // Of a kept worker, which is idle then.
  void TakeReport(Worker& worker) {
    if (!worker.channel.valid()) return;
    auto packet = Receive(worker.channel.get(), MSG_DONTWAIT);
    if (!packet) return;
    if (packet->data.empty()) return worker.channel.reset();  // it ended, and will be reaped
    Send(socket_.get(), packet->data, {}, 0);
    // One of a stage is enough to wait for more.
    const bool spare = FindIdle(StageOf(worker.task)) != nullptr;
    worker.id = 0;
    worker.started_ns = Now();
    worker.allowed_ns = spare ? 0 : worker.keep_ns;
    worker.starved_ns = 0;
    if (worker.progress != nullptr) worker.progress->store(0, std::memory_order_relaxed);
  }

  void Reap() {
    signalfd_siginfo info;
    while (read(children_.get(), &info, sizeof info) > 0) {
    }
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
      const auto worker =
          std::find_if(workers_.begin(), workers_.end(), [&](const Worker& w) { return w.pid == pid; });
      if (worker == workers_.end()) continue;
      TakeReport(*worker);  // its last words
      if (!worker->abandoned) TellEnd(*worker, status);
      workers_.erase(worker);
    }
  }

  // A worker that exited with 0 has reported for itself.
  void TellEnd(const Worker& worker, int status) {
    if (worker.killed_ns != 0) {
      Tell(worker, WorkerOutcome::kTimedOut,
           worker.task + ": killed at its deadline of " + DeadlineText(worker));
    } else if (WIFSIGNALED(status)) {
      const char* name = sigdescr_np(WTERMSIG(status));
      Tell(worker, WorkerOutcome::kCrashed,
           worker.task + ": ended by a signal: " + (name != nullptr ? name : "?"));
    } else if (WEXITSTATUS(status) != 0) {
      Tell(worker, WorkerOutcome::kCrashed,
           worker.task + ": exited with " + std::to_string(WEXITSTATUS(status)));
    }
  }

  // A node without a processor to spare is not a store that hangs. What hangs is not ready to run.
  static bool WasStarved(Worker& worker, uint64_t now) {
    if (worker.idle()) return false;
    const Schedule schedule = ScheduleOf(worker.pid);
    worker.starved_ns = schedule.starved_ns - std::min(schedule.starved_ns, worker.before.starved_ns);
    const uint64_t ran_ns = schedule.ran_ns - std::min(schedule.ran_ns, worker.before.ran_ns);
    // What it waits for a processor now does not stand there yet.
    if (IsReady(worker.pid))
      worker.starved_ns = now - worker.started_ns - std::min(now - worker.started_ns, ran_ns);
    return now < worker.deadline_ns();
  }

  void CheckDeadlines() {
    const uint64_t now = Now();
    for (Worker& worker : workers_) {
      if (worker.killed_ns == 0 && now >= worker.deadline_ns() && !WasStarved(worker, now)) {
        kill(worker.pid, SIGKILL);
        worker.killed_ns = now;
      } else if (worker.killed_ns != 0 && !worker.abandoned && now >= worker.killed_ns + kReapNs) {
        if (IsReady(worker.pid)) {  // to die, as soon as it has a processor
          worker.killed_ns = now;
          continue;
        }
        worker.abandoned = true;
        Tell(worker, WorkerOutcome::kAbandoned,
             worker.task + ": hangs in the kernel, not even killed at its deadline of " +
                 DeadlineText(worker));
      }
    }
  }

  int NextTimeoutMs() const {
    uint64_t next = UINT64_MAX;
    for (const Worker& worker : workers_) {
      if (worker.abandoned) continue;
      next = std::min(next, worker.killed_ns != 0 ? worker.killed_ns + kReapNs : worker.deadline_ns());
    }
    if (next == UINT64_MAX) return -1;
    const uint64_t now = Now();
    return next <= now ? 0 : static_cast<int>(std::min<uint64_t>((next - now) / kNsPerMs + 1, 60000));
  }

  static std::string DeadlineText(const Worker& worker) {
    const bool had_progress = worker.progress != nullptr && worker.progress->load() != 0;
    return std::to_string(worker.allowed_ns / kNsPerMs) + " ms" + (had_progress ? " without progress" : "");
  }

  void Tell(const Worker& worker, WorkerOutcome outcome, std::string error) {
    if (worker.idle()) return;
    Send(socket_.get(), EncodeReport({worker.id, {outcome, {}, std::move(error), Now() - worker.started_ns}}),
         {}, 0);
  }

  Fd socket_;
  Fd children_;
  const WorkerTasks& tasks_;
  std::list<Worker> workers_;
};

}  // namespace

void RunProcess(Fd socket, const WorkerTasks& tasks, pid_t agent, const std::function<void()>& preload) {
  DieWithParent(agent);
  prctl(PR_SET_NAME, "ffdcd-launcher");
  // Ctrl-C and systemd's stop go to the agent, which still needs its workers to end in order.
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  // Captures must not take the CPU from those who are hurt, nor from the agent, which still listens.
  constexpr int kNice = 5;
  setpriority(PRIO_PROCESS, 0, kNice);
  if (preload) preload();
  // Workers must not wait for a page of this program from a disk that hangs: what
  // was touched once stays. Fails without the privilege; then that is so.
  mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
  Process(std::move(socket), tasks).Run();
}

}  // namespace ffdc::launcher
