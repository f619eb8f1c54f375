// SPDX-License-Identifier: Apache-2.0
// The agent's side of the index: a queue that keeps the last change of each
// incident, written by one worker at a time.
#include "cluster/index.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "base/lifeline.h"
#include "base/mem_file.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kIndexDeadline{10000};
constexpr milliseconds kFirstIndexRetry{1000};
constexpr milliseconds kLastIndexRetry{300000};
// Bounds what one transaction holds in memory; a single incident may be longer.
constexpr size_t kMaxBatchBytes = 1u << 20;

class SqliteIndex final : public IncidentIndex {
 public:
  SqliteIndex(std::string path, Launcher& launcher) : path_(std::move(path)), launcher_(launcher) {}

  Result<std::vector<v1::Incident>> Load() override {
    FFDC_ASSIGN(const Fd content_fd, MemFile());
    const auto report = launcher_.RunToEnd({"index.load", path_, {content_fd.get()}, kIndexDeadline});
    if (report.outcome != WorkerOutcome::kOk) {
      damage_ = "cannot load the incident index " + path_ + ": " + report.error;
      return Fail(damage_);
    }
    v1::IndexContent content;
    FFDC_TRY(ReadMessage(content_fd.get(), &content));
    damage_ = content.damage();
    return std::vector<v1::Incident>(std::make_move_iterator(content.mutable_incidents()->begin()),
                                     std::make_move_iterator(content.mutable_incidents()->end()));
  }

  void Put(const v1::Incident& incident) override { waiting_[incident.id()] = incident; }
  void Delete(const std::string& id) override { waiting_[id] = std::nullopt; }

  void Flush() override {
    if (!writing_.empty() || waiting_.empty() || IsPausing()) return;
    v1::IndexBatch batch;
    batch.set_path(path_);
    size_t bytes = 0;
    while (!waiting_.empty() && bytes < kMaxBatchBytes) {
      auto change = waiting_.extract(waiting_.begin());
      bytes += AddTo(&batch, change.key(), change.mapped());
      writing_.insert(std::move(change));
    }
    if (auto submitted = Submit(batch); !submitted)
      Ended(WorkerReport{WorkerOutcome::kError, {}, submitted.error().message, 0});
  }

  size_t pending() const override { return waiting_.size() + writing_.size(); }
  const std::string& problem() const override { return write_problem_.empty() ? damage_ : write_problem_; }

 private:
  using Changes = std::map<std::string, std::optional<v1::Incident>>;  // nullopt: deleted

  static size_t AddTo(v1::IndexBatch* batch, const std::string& id,
                      const std::optional<v1::Incident>& incident) {
    if (!incident) {
      batch->add_deletes(id);
      return id.size();
    }
    *batch->add_upserts() = *incident;
    return incident->ByteSizeLong();
  }

  // Does not outlast the worker it is for: once that is gone, the disk may be back.
  [[nodiscard]] bool IsPausing() const {
    return steady_clock::now() < retry_at_ && !(given_up_ && given_up_->is_cut());
  }

  Result<> Submit(const v1::IndexBatch& batch) {
    FFDC_ASSIGN(const Fd argument, MemFile(batch));
    FFDC_ASSIGN(Lifeline lifeline, Lifeline::Create());
    given_up_.reset();
    launcher_.Submit({"index.apply", {}, {argument.get(), lifeline.worker_end()}, kIndexDeadline},
                     [this, alive = std::weak_ptr<bool>(alive_)](const WorkerReport& report) {
                       if (!alive.expired()) Ended(report);
                     });
    lifeline.HandedOver();
    writer_ = std::move(lifeline);
    return {};
  }

  void Ended(const WorkerReport& report) {
    if (report.outcome == WorkerOutcome::kOk) {
      writing_.clear();
      write_problem_.clear();
      retry_after_ = kFirstIndexRetry;
      if (!report.reply.empty()) damage_ = report.reply;
      Flush();
      return;
    }
    write_problem_ = "cannot write the incident index " + path_ + ": " + report.error;
    waiting_.merge(writing_);  // newer changes of the same incident stay
    writing_.clear();
    // Each try on a disk that hangs may leave a worker behind: go to the longest pause at once.
    if (report.outcome == WorkerOutcome::kAbandoned) {
      retry_after_ = kLastIndexRetry;
      given_up_ = std::move(writer_);
    }
    retry_at_ = steady_clock::now() + retry_after_;
    retry_after_ = std::min(retry_after_ * 2, kLastIndexRetry);
  }

  std::string path_;
  Launcher& launcher_;
  Changes waiting_;
  Changes writing_;  // by the worker now
  std::string write_problem_;
  std::string damage_;
  std::optional<Lifeline> writer_;    // of the worker that writes, or wrote last
  std::optional<Lifeline> given_up_;  // of one that hangs
  milliseconds retry_after_ = kFirstIndexRetry;
  steady_clock::time_point retry_at_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<IncidentIndex> IncidentIndex::Create(std::string path, Launcher& launcher) {
  return std::make_unique<SqliteIndex>(std::move(path), launcher);
}

}  // namespace ffdc
