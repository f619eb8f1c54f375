// SPDX-License-Identifier: Apache-2.0
#include "store/jobs.h"

#include <cerrno>
#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/copies.h"
#include "store/known_store.h"
#include "store/progress_pipe.h"
#include "store/retain.h"
#include "store/verify.h"

namespace ffdc {
namespace {

// What is read of a source counts.
class ToldSource final : public ByteSource {
 public:
  ToldSource(std::unique_ptr<ByteSource> source, ProgressPipe& pipe)
      : source_(std::move(source)), pipe_(pipe) {}

  [[nodiscard]] uint64_t size_bytes() const override { return source_->size_bytes(); }
  Result<size_t> Read(char* buffer, size_t size) override {
    FFDC_ASSIGN(const size_t got, source_->Read(buffer, size));
    pipe_.next().set_bytes_done(pipe_.next().bytes_done() + got);
    FFDC_TRY(pipe_.Tell());
    return got;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  ProgressPipe& pipe_;
};

IncidentCopies Told(IncidentCopies copies, ProgressPipe& pipe) {
  for (auto& copy : copies.captures) {
    if (copy.archive) copy.archive = std::make_unique<ToldSource>(std::move(*copy.archive), pipe);
  }
  return copies;
}

void Add(v1::StoreProgress& progress, const v1::VerifyReport& report) {
  progress.set_captures_encrypted(progress.captures_encrypted() +
                                  static_cast<uint64_t>(report.encrypted_size()));
  for (const auto& problem : report.problems()) {
    auto* shown = progress.add_problems();
    shown->set_incident_id(report.incident_id());
    shown->set_file(problem.file());
    shown->set_problem(problem.problem());
  }
}

}  // namespace

Result<> ListStore(const v1::StoreArgs& args, int fd) {
  ProgressPipe pipe(fd);
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kRead));
  FFDC_ASSIGN(const auto captures, store->List());
  pipe.next().set_captures_total(captures.size());
  for (const auto& capture : captures) {
    auto* shown = pipe.next().add_captures();
    shown->set_incident_id(capture.incident_id);
    shown->set_node(capture.node);
    shown->set_bytes(capture.bytes);
    const int64_t opened_ns = UuidWallNs(capture.incident_id);
    shown->mutable_opened_at()->set_seconds(opened_ns / kNsPerSecond);
    shown->mutable_opened_at()->set_nanos(static_cast<int32_t>(opened_ns % kNsPerSecond));
    pipe.next().set_captures_done(pipe.next().captures_done() + 1);
    pipe.next().set_bytes_done(pipe.next().bytes_done() + capture.bytes);
    FFDC_TRY(pipe.Tell());
  }
  return pipe.Finish();
}

Result<> VerifyStore(const v1::StoreArgs& args, int fd) {
  ProgressPipe pipe(fd);
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kRead));
  FFDC_ASSIGN(const auto captures, store->List());
  std::map<std::string, std::vector<std::string>> nodes;
  pipe.next().set_captures_total(captures.size());
  for (const auto& capture : captures) {
    nodes[capture.incident_id].push_back(capture.node);
    pipe.next().set_bytes_total(pipe.next().bytes_total() + capture.bytes);
  }
  for (const auto& [id, names] : nodes) {
    const auto report = Verify(id, Told(OpenStored(*store, id, names), pipe));
    // Removed meanwhile by a person or by retention: nothing is wrong with it.
    FFDC_ASSIGN(const auto left, store->Nodes(id));
    if (!left.empty()) Add(pipe.next(), report);
    pipe.next().set_captures_done(pipe.next().captures_done() + names.size());
    FFDC_TRY(pipe.Tell());
  }
  return pipe.Finish();
}

Result<> CleanStore(const v1::StoreArgs& args, int fd, v1::StoreReply* reply,
                    const std::function<Result<>()>& save) {
  ProgressPipe pipe(fd);
  FFDC_ASSIGN(const auto store, OpenKnownStore(args, StoreUse::kWrite));
  const auto removed = [&](const v1::Removal& removal) -> Result<> {
    FFDC_TRY(save());
    auto* shown = pipe.next().add_removed();
    shown->set_incident_id(removal.id());
    shown->set_reason(removal.reason());
    shown->set_bytes(removal.bytes());
    return pipe.Tell();
  };
  // The agent's own retention may be at it this moment.
  for (int patience_s = 20;; --patience_s) {
    reply->clear_lease_held_by_other();
    reply->clear_bytes();
    reply->clear_captures();
    FFDC_TRY(Retain(*store, args, std::numeric_limits<size_t>::max(), reply, removed));
    if (!reply->lease_held_by_other() || patience_s == 0) break;
    FFDC_TRY(pipe.Tell());
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  if (reply->lease_held_by_other())
    return Fail("another node applies the limits of the store now: try again in some minutes", EBUSY);
  pipe.next().set_captures_done(reply->captures());
  pipe.next().set_captures_total(reply->captures());
  pipe.next().set_bytes_done(reply->bytes());
  pipe.next().set_bytes_total(reply->bytes());
  return pipe.Finish();
}

}  // namespace ffdc
