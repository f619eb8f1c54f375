// SPDX-License-Identifier: Apache-2.0
#include "capture/runner.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/fs.h"
#include "base/proto_json.h"
#include "base/uuid.h"
#include "capture/collector.h"
#include "capture/staging.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kFirstRetryNs = kNsPerSecond;
constexpr uint64_t kLastRetryNs = 60 * kNsPerSecond;
// What a capture needs beside its biggest file; also what tmpfs keeps free for statuses.
constexpr uint64_t kReserveBytes = 1u << 20;
constexpr size_t kMaxRemembered = 4096;

enum class Phase { kQueued, kCollecting, kCollected, kSealing };

struct CaptureState {
  Phase phase = Phase::kQueued;
  v1::CaptureJob job;  // until it is staged; then job.pb has it
  bool staged = false;
  CaptureInputs inputs;
  size_t collectors_left = 0;
  std::vector<v1::CollectorStatus> statuses;  // of collectors that left none themselves
  uint64_t staged_bytes = 0;                  // reserved while it collects, counted after
  uint64_t retry_ns = 0;
  uint64_t backoff_ns = kFirstRetryNs;
  std::string problem;
};

v1::CollectorStatus StatusOf(const std::string& collector, const WorkerReport& report) {
  v1::CollectorStatus status;
  v1::CollectorResult& result = *status.mutable_result();
  result.set_name(collector);
  result.set_elapsed_ns(report.elapsed_ns);
  result.set_error(report.error);
  switch (report.outcome) {
    case WorkerOutcome::kTimedOut:
      result.set_outcome(v1::TIMED_OUT);
      break;
    case WorkerOutcome::kAbandoned:
      result.set_outcome(v1::ABANDONED);
      break;
    default:
      result.set_outcome(v1::ERROR);
  }
  ScrubUtf8(&status);
  return status;
}

class Runner : public CaptureRunner {
 public:
  Runner(CaptureOptions options, Launcher& launcher, Done done, const Clock& clock)
      : options_(std::move(options)),
        captures_dir_(options_.runtime_dir + "/captures"),
        launcher_(launcher),
        done_(std::move(done)),
        clock_(clock) {}

  void Start(v1::CaptureJob job, CaptureInputs inputs) override {
    const std::string id = job.manifest().incident_id();
    if (!IsUuid(id)) return done_(id, Fail("cannot capture: '" + id + "' is no incident id"));
    if (captures_.contains(id) || finished_.contains(id)) return;
    job.set_staging_dir(StagingDir(id));
    job.set_spool_dir(options_.spool_dir);
    job.set_collector_max_bytes(options_.collector_max_bytes);
    for (const CollectorInfo* collector : Wanted()) job.add_collectors(collector->name);
    CaptureState& capture = captures_[id];
    capture.job = std::move(job);
    capture.inputs = std::move(inputs);
    queue_.push_back(id);
    // Even if it has to wait: after a crash the job alone is worth a capture.
    Stage(capture);
    CrashPoint("capture.staged");
    Pump();
  }

  void Recover() override {
    std::error_code code;
    for (fs::directory_iterator entry(captures_dir_, code), end; !code && entry != end;
         entry.increment(code)) {
      RecoverFolder(entry->path());
    }
    clean_wanted_ = true;
    Pump();
  }

  void Tick() override { Pump(); }

  size_t running() const override { return Count(Phase::kCollecting) + Count(Phase::kSealing); }
  size_t waiting() const override { return Count(Phase::kQueued) + Count(Phase::kCollected); }

  bool Has(const std::string& incident_id) const override { return captures_.contains(incident_id); }

  std::vector<std::string> problems() const override {
    std::vector<std::string> lines;
    for (const auto& [id, capture] : captures_) {
      if (!capture.problem.empty()) lines.push_back("capture " + id + " waits: " + capture.problem);
    }
    if (!clean_problem_.empty()) {
      lines.push_back("cannot clean " + options_.spool_dir + "/tmp: " + clean_problem_);
    }
    return lines;
  }

 private:
  std::string StagingDir(const std::string& id) const { return captures_dir_ + "/" + id; }

  size_t Count(Phase phase) const {
    return static_cast<size_t>(std::count_if(captures_.begin(), captures_.end(),
                                             [&](const auto& item) { return item.second.phase == phase; }));
  }

  std::vector<const CollectorInfo*> Wanted() const {
    std::vector<const CollectorInfo*> wanted;
    const auto& names = options_.collectors;
    for (const CollectorInfo& collector : Collectors()) {
      const bool named = std::find(names.begin(), names.end(), collector.name) != names.end();
      if (names.empty() || named) wanted.push_back(&collector);
    }
    return wanted;
  }

  // Everything that can go on, goes on.
  void Pump() {
    while (!queue_.empty() && Count(Phase::kCollecting) < options_.max_parallel) {
      const std::string id = queue_.front();
      CaptureState& capture = captures_.at(id);
      if (!Admit(capture)) break;
      queue_.pop_front();
      Collect(id, capture);
    }
    size_t sealing = Count(Phase::kSealing);
    for (auto& [id, capture] : captures_) {
      if (sealing >= options_.max_parallel) break;
      if (capture.phase != Phase::kCollected || clock_.MonotonicNs() < capture.retry_ns) continue;
      Seal(id, capture);
      ++sealing;
    }
    CleanSpool();
  }

  bool Stage(CaptureState& capture) {
    if (capture.staged) return true;
    if (auto created = CreateStaging(capture.job); !created) {
      capture.problem = created.error().message;
      return false;
    }
    capture.staged = true;
    return true;
  }

  // Room in the staging area for one more; says why not in capture.problem.
  bool Admit(CaptureState& capture) {
    if (!Stage(capture)) return false;
    uint64_t used_bytes = 0;
    for (const auto& [id, other] : captures_) used_bytes += other.staged_bytes;
    struct statvfs space {};
    if (::statvfs(captures_dir_.c_str(), &space) != 0) {
      capture.problem = FailErrno("cannot ask for the room in " + captures_dir_).value().message;
      return false;
    }
    uint64_t free_bytes = static_cast<uint64_t>(space.f_bavail) * space.f_frsize;
    free_bytes =
        std::min(free_bytes, options_.staging_max_bytes - std::min(used_bytes, options_.staging_max_bytes));
    uint64_t cap_bytes = options_.collector_max_bytes;
    if (used_bytes == 0) {
      // Nothing of ours will give room: a smaller capture is better than none.
      cap_bytes = std::min(cap_bytes, free_bytes - std::min(free_bytes, kReserveBytes));
    }
    if (cap_bytes == 0 || free_bytes < cap_bytes + kReserveBytes) {
      capture.problem = "no room in " + captures_dir_ + " (" + std::to_string(free_bytes) +
                        " bytes left of " + std::to_string(options_.staging_max_bytes) + " allowed)";
      return false;
    }
    capture.problem.clear();
    capture.job.set_collector_max_bytes(cap_bytes);
    capture.staged_bytes = cap_bytes + kReserveBytes;
    return true;
  }

  void Collect(const std::string& id, CaptureState& capture) {
    capture.phase = Phase::kCollecting;
    v1::CollectArgs args;
    args.mutable_job()->set_staging_dir(StagingDir(id));
    args.mutable_job()->set_spool_dir(options_.spool_dir);
    args.mutable_job()->set_collector_max_bytes(capture.job.collector_max_bytes());
    capture.job.Clear();
    const auto wanted = Wanted();
    capture.collectors_left = wanted.size();
    for (const CollectorInfo* collector : wanted) {
      args.set_collector(collector->name);
      WorkerRequest request;
      request.task = "capture.collect";
      request.argument = args.SerializeAsString();
      request.deadline = collector->deadline;
      for (const auto& fd : capture.inputs[collector->name]) request.fds.push_back(fd->get());
      Submit(request, [this, id, name = collector->name](const WorkerReport& report) {
        OnCollected(id, name, report);
      });
    }
    CrashPoint("capture.collecting");
    if (capture.collectors_left == 0) capture.phase = Phase::kCollected;
  }

  void OnCollected(const std::string& id, const std::string& collector, const WorkerReport& report) {
    CaptureState& capture = captures_.at(id);
    capture.inputs.erase(collector);
    if (report.outcome != WorkerOutcome::kOk && !HasStatus(StagingDir(id), collector)) {
      capture.statuses.push_back(StatusOf(collector, report));
      // For the next life; in this one the seal gets it anyway, so a full tmpfs does no harm.
      (void)WriteStatus(StagingDir(id), capture.statuses.back());
    }
    if (--capture.collectors_left > 0) return;
    CrashPoint("capture.collected");
    capture.phase = Phase::kCollected;
    capture.inputs.clear();
    capture.staged_bytes = StagedBytes(StagingDir(id)) + kReserveBytes;
    Pump();
  }

  void Seal(const std::string& id, CaptureState& capture) {
    capture.phase = Phase::kSealing;
    v1::SealArgs args;
    args.set_staging_dir(StagingDir(id));
    args.set_spool_dir(options_.spool_dir);
    for (const auto& status : capture.statuses) *args.add_statuses() = status;
    for (const auto& certificate : options_.privacy.encrypt_to) args.add_encrypt_to(certificate);
    args.set_redact(options_.privacy.redact);
    WorkerRequest request;
    request.task = "capture.seal";
    request.argument = args.SerializeAsString();
    request.deadline = options_.seal_deadline;
    Submit(request, [this, id](const WorkerReport& report) { OnSealed(id, report); });
  }

  void OnSealed(const std::string& id, const WorkerReport& report) {
    v1::SealedCapture sealed;
    if (report.outcome == WorkerOutcome::kOk && sealed.ParseFromString(report.reply)) {
      CrashPoint("capture.sealed");
      Forget(id);
      // Without a path a former life has told already.
      if (!sealed.path().empty()) done_(id, std::move(sealed));
    } else if (auto job = ReadJob(StagingDir(id), options_.spool_dir); !job) {
      GiveUp(id, report.error.empty() ? job.error().message : report.error);
    } else {
      CaptureState& capture = captures_.at(id);
      capture.phase = Phase::kCollected;
      capture.problem = report.error;
      capture.retry_ns = clock_.MonotonicNs() + capture.backoff_ns;
      capture.backoff_ns = std::min(2 * capture.backoff_ns, kLastRetryNs);
    }
    Pump();
  }

  void GiveUp(const std::string& id, const std::string& why) {
    (void)RemoveAll(StagingDir(id));  // what stays is discarded by the next Recover()
    Forget(id);
    done_(id, Fail("capture " + id + " is given up: " + why));
  }

  void Forget(const std::string& id) {
    captures_.erase(id);
    finished_.insert(id);
    // Ids sort by time, so the first is the oldest.
    if (finished_.size() > kMaxRemembered) finished_.erase(finished_.begin());
  }

  void RecoverFolder(const fs::path& folder) {
    const std::string id = folder.filename().string();
    if (captures_.contains(id)) return;
    auto job = ReadJob(folder.string(), options_.spool_dir);
    if (job) {
      CaptureState& capture = captures_[id];
      capture.phase = Phase::kCollected;
      capture.staged = true;
      capture.staged_bytes = StagedBytes(folder.string()) + kReserveBytes;
      return;
    }
    if (Exists(folder / "job.pb") && IsUuid(id)) return GiveUp(id, job.error().message);
    (void)RemoveAll(folder);
  }

  void CleanSpool() {
    if (!clean_wanted_ || clock_.MonotonicNs() < clean_retry_ns_) return;
    clean_wanted_ = false;
    v1::SpoolCleanArgs args;
    args.set_captures_dir(captures_dir_);
    args.set_spool_dir(options_.spool_dir);
    WorkerRequest request;
    request.task = "capture.recover";
    request.argument = args.SerializeAsString();
    request.deadline = options_.seal_deadline;
    Submit(request, [this](const WorkerReport& report) {
      clean_problem_ = report.outcome == WorkerOutcome::kOk ? "" : report.error;
      clean_wanted_ = !clean_problem_.empty();
      clean_retry_ns_ = clock_.MonotonicNs() + kLastRetryNs;
    });
  }

  // `done` is dropped if the runner has ended by then.
  template <class F>
  void Submit(const WorkerRequest& request, F done) {
    launcher_.Submit(request, [alive = std::weak_ptr<int>(alive_), done](const WorkerReport& report) {
      if (!alive.expired()) done(report);
    });
  }

  CaptureOptions options_;
  std::string captures_dir_;
  Launcher& launcher_;
  Done done_;
  const Clock& clock_;
  std::map<std::string, CaptureState> captures_;
  std::deque<std::string> queue_;  // those that wait to begin, oldest first
  std::set<std::string> finished_;
  bool clean_wanted_ = false;
  uint64_t clean_retry_ns_ = 0;
  std::string clean_problem_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace

std::unique_ptr<CaptureRunner> CaptureRunner::Create(CaptureOptions options, Launcher& launcher, Done done,
                                                     const Clock& clock) {
  return std::make_unique<Runner>(std::move(options), launcher, std::move(done), clock);
}

}  // namespace ffdc
