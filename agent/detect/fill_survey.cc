// SPDX-License-Identifier: Apache-2.0
#include "detect/fill_survey.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace ffdc {
namespace {

constexpr uint64_t kSurveyIntervalNs = 10'000'000'000;
// Each time that it still hangs may cost a worker that nobody can end.
constexpr uint64_t kFirstRetryNs = 60'000'000'000;
constexpr uint64_t kLastRetryNs = 3'600'000'000'000;
constexpr uint64_t kUnnamedRetryNs = 600'000'000'000;
constexpr std::chrono::seconds kSurveyDeadline{5};  // of a single filesystem
constexpr size_t kMaxMounts = 512;

std::string ReadAll(int fd) {
  std::string text(kMaxReplyBytes, '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

}  // namespace

void FillSurvey::Tick() {
  if (running_ || !world_.submit || world_.clock->MonotonicNs() < next_ns_) return;
  Gather();
  if (asked_.empty()) {
    next_ns_ = world_.clock->MonotonicNs() + kSurveyIntervalNs;
  } else {
    Ask();
  }
}

// What a person may write to: an image that is read-only is always full. Of those on disks the
// watched ones.
void FillSurvey::Gather() {
  const std::vector<std::string>& wanted = world_.options.filesystems;
  std::vector<Filesystem> all;
  if (world_.filesystems) all = world_.filesystems();
  if (world_.other_filesystems) {
    for (Filesystem& other : world_.other_filesystems()) all.push_back(std::move(other));
  }
  known_ = !all.empty();
  asked_.clear();
  watched_.clear();
  left_out_ = 0;
  size_t bytes = 0;
  for (Filesystem& filesystem : all) {
    if (filesystem.read_only || filesystem.points.empty()) continue;
    const auto named =
        std::find_first_of(filesystem.points.begin(), filesystem.points.end(), wanted.begin(), wanted.end());
    const bool is_watched = filesystem.disk == 0 || world_.watched(filesystem.disk);
    if (wanted.empty() ? !is_watched : named == filesystem.points.end()) continue;
    bytes += filesystem.points.front().size() + 1;
    if (watched_.size() >= kMaxMounts || bytes > kMaxArgumentBytes) {
      ++left_out_;
      continue;
    }
    watched_.insert(filesystem.id);
    const auto hanging = hanging_.find(filesystem.id);
    if (hanging == hanging_.end() || world_.clock->MonotonicNs() >= hanging->second.retry_ns)
      asked_.push_back(std::move(filesystem));
  }
  std::erase_if(hanging_, [this](const auto& entry) { return !IsWatched(entry.first); });
  // Those that hung last: the others have answered before.
  std::stable_partition(asked_.begin(), asked_.end(),
                        [this](const Filesystem& asked) { return !hanging_.contains(asked.id); });
}

void FillSurvey::Ask() {
  WorkerRequest request;
  request.task = "detect.fill_levels";
  request.deadline = kSurveyDeadline;
  for (const Filesystem& filesystem : asked_) request.argument += filesystem.points.front() + '\0';
  // Without it a hang has no name, but is survived all the same.
  log_ = Fd(memfd_create("ffdc-fill-levels", MFD_CLOEXEC));
  if (log_.valid()) request.fds.push_back(log_.get());
  running_ = true;
  world_.submit(request, [this](const WorkerReport& report) { Done(report); });
}

void FillSurvey::Done(const WorkerReport& report) {
  running_ = false;
  next_ns_ = world_.clock->MonotonicNs() + kSurveyIntervalNs;
  problem_.clear();
  if (report.outcome == WorkerOutcome::kOk) {
    TakeAll(report.reply);
  } else if (report.outcome == WorkerOutcome::kTimedOut || report.outcome == WorkerOutcome::kAbandoned) {
    Hung(log_.valid() ? ReadAll(log_.get()) : std::string(), report.error);
  } else {
    problem_ = "cannot read the fill levels of filesystems: " + report.error;
  }
  log_ = Fd();
}

void FillSurvey::TakeAll(const std::string& text) {
  for (const MountLevels& mount : ParseMountLevels(text)) {
    if (mount.index >= asked_.size()) continue;
    hanging_.erase(asked_[mount.index].id);
    take_(asked_[mount.index], mount);
  }
}

void FillSurvey::Hung(const std::string& log, const std::string& error) {
  const uint64_t now = world_.clock->MonotonicNs();
  TakeAll(log);
  const std::optional<size_t> last = LastAsked(log);
  if (!last || *last >= asked_.size()) {
    problem_ = "cannot read the fill levels of filesystems: " + error;
    next_ns_ = now + kUnnamedRetryNs;
    return;
  }
  const Filesystem& filesystem = asked_[*last];
  Hanging& hanging = hanging_[filesystem.id];
  hanging.filesystem = filesystem;
  hanging.backoff_ns = std::clamp(hanging.backoff_ns * 2, kFirstRetryNs, kLastRetryNs);
  hanging.retry_ns = now + hanging.backoff_ns;
  hanging.error = "does not answer: " + error;
  next_ns_ = now;  // the others
}

std::vector<std::string> FillSurvey::Problems() const {
  std::vector<std::string> problems;
  if (!problem_.empty()) problems.push_back(problem_);
  for (const auto& [id, hanging] : hanging_) {
    const Filesystem& filesystem = hanging.filesystem;
    problems.push_back("filesystem " + filesystem.points.front() + " (" + filesystem.type +
                       ") does not answer: how full it is cannot be told");
  }
  if (left_out_ != 0)
    problems.push_back("the fill levels of " + std::to_string(left_out_) +
                       " filesystems are not watched, there are too many: name those of interest in "
                       "watch.filesystems");
  return problems;
}

}  // namespace ffdc
