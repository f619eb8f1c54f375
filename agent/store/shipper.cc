// SPDX-License-Identifier: Apache-2.0
// The agent's side: decides what the store's workers do next. One worker writes
// to the store at a time, one to the spool; a store that does not answer costs at
// most two workers that hang.
#include "store/shipper.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <set>

#include "base/backoff.h"
#include "store/spool_keeper.h"
#include "store/store_args.h"
#include "store/store_health.h"
#include "store/store_requests.h"
#include "store/store_workers.h"

namespace ffdc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = std::chrono::steady_clock::time_point;

constexpr seconds kStatusInterval{30};
constexpr seconds kRetainInterval{60};
constexpr seconds kRetainAfterShip{5};
constexpr int kRetainShare = 20;  // listing a large store takes at most 1/20 of the time
constexpr seconds kIncidentDelay{1};
constexpr milliseconds kShortDeadline{10000};
constexpr size_t kMaxAbandoned = 2;

Time Now() { return std::chrono::steady_clock::now(); }

class ShipperImpl final : public Shipper {
 public:
  ShipperImpl(ShipperOptions options, Launcher& launcher, ShipperCallbacks callbacks)
      : options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        workers_(launcher),
        health_(options_.store_url, [this](const StoreState& state) { callbacks_.store_state(state); }),
        requests_(workers_),
        spool_(options_, callbacks_, workers_,
               {[this] { return Args(); }, [this](const StoreOutcome& outcome) { Recovered(outcome); },
                [this] { Pump(); }}) {}

  void Recover() override {
    spool_.Recover();
    Pump();
  }

  void Enqueue(const v1::Manifest& manifest) override {
    spool_.queue().Add(manifest);
    Pump();
  }

  void IncidentChanged(const v1::Incident& incident) override {
    const auto [change, is_new] = changes_.try_emplace(incident.id());
    change->second.incident = incident;
    if (is_new) change->second.due = Now() + kIncidentDelay;
  }

  void Tick() override { Pump(); }

  std::string HoldForHandoff() override {
    std::string id = health_.lost() ? spool_.queue().Next() : std::string();
    if (!id.empty()) spool_.queue().SetBusy(id, true);
    return id;
  }

  void HandoffEnded(const v1::Manifest& manifest, const std::string& by) override {
    if (by.empty()) {
      spool_.queue().SetBusy(manifest.incident_id(), false);
    } else {
      recovered_.erase(manifest.incident_id());
      spool_.Forget(manifest, by);
    }
    Pump();
  }

  void StoreForPeer(const v1::Manifest& manifest) override {
    const auto same = [&](const v1::Manifest& other) {
      return other.incident_id() == manifest.incident_id() && other.node() == manifest.node();
    };
    if (std::none_of(of_peers_.begin(), of_peers_.end(), same)) of_peers_.push_back(manifest);
    Pump();
  }

  bool Has(const std::string& incident_id) const override { return spool_.queue().Contains(incident_id); }

  v1::StoreStatus store_status() const override {
    v1::StoreStatus status;
    status.set_url(options_.store_url);
    status.set_reachable(reachable_);
    for (const auto& error :
         {store_error_, ship_error_, spool_.queue().problem(), change_error_, retain_error_, name_problem_}) {
      if (status.error().empty()) status.set_error(error);
    }
    status.set_bytes(store_bytes_);
    status.set_captures(store_captures_);
    status.set_id(known_id_);
    status.set_lost(health_.lost());
    *status.mutable_space() = space_;
    return status;
  }

  v1::SpoolStatus spool_status() const override { return spool_.status(); }

  void Manifests(const std::string& id,
                 std::function<void(Result<std::vector<v1::Manifest>>)> done) override {
    requests_.Ask("store.manifests", ReadArgs(id), kShortDeadline, NoteHang(),
                  [done = std::move(done)](Result<v1::StoreReply> reply) {
                    if (!reply) return done(Unexpected(std::move(reply).error()));
                    done(std::vector<v1::Manifest>(reply->manifests().begin(), reply->manifests().end()));
                  });
  }

  void Verify(const std::string& id, std::function<void(Result<v1::VerifyReport>)> done) override {
    requests_.Ask("store.verify", ReadArgs(id), options_.deadline, NoteHang(),
                  [done = std::move(done)](Result<v1::StoreReply> reply) {
                    if (!reply) return done(Unexpected(std::move(reply).error()));
                    done(std::move(*reply->mutable_verify()));
                  });
  }

  void Pull(const std::string& id, Fd out_fd, std::function<void(Result<>)> done) override {
    requests_.Ask("store.pull", ReadArgs(id), options_.deadline, NoteHang(), WithoutReply(std::move(done)),
                  out_fd.get());
  }

  void Init(std::function<void(Result<>)> done) override {
    requests_.Ask("store.init", Args(), std::min(options_.deadline, kShortDeadline), NoteHang(),
                  [this, done = std::move(done)](Result<v1::StoreReply> reply) {
                    if (!reply) return done(Unexpected(std::move(reply).error()));
                    known_id_ = reply->store_id();
                    spool_.Remember();
                    store_backoff_.Reset();
                    next_status_ = Now();
                    done({});
                    Pump();
                  });
  }

  void RunJob(StoreJob job, const std::string& from_url, const std::string& to_url, Fd out_fd,
              std::function<void(Result<>)> done) override {
    auto args = job == StoreJob::kClean ? RetainArgs(false) : Args();
    if (job == StoreJob::kMigrate) {
      if (from_url != options_.store_url) args.clear_known_store_id();
      args.set_store_url(from_url);
      args.set_to_store_url(to_url);
    }
    const bool is_ours = from_url == options_.store_url || to_url == options_.store_url;
    if (hung_ && (job != StoreJob::kMigrate || is_ours)) return done(Fail(store_error_, EAGAIN));
    requests_.RunJob(job, args, options_.deadline, NoteHang(), out_fd.get(),
                     [this, done = std::move(done)](Result<v1::StoreReply> reply) {
                       if (!reply) return done(Unexpected(std::move(reply).error()));
                       for (const auto& removed : reply->removed()) Retired(removed);
                       next_retain_ = std::min(next_retain_, retain_not_before_);
                       done({});
                     });
  }

  void Remove(const std::string& id, std::function<void(Result<uint64_t>)> done) override {
    removals_.push_back({id, std::move(done)});
    Pump();
  }

 private:
  struct Change {
    v1::Incident incident;
    Time due;
  };
  struct RemovalRequest {
    std::string id;
    std::function<void(Result<uint64_t>)> done;
  };

  v1::StoreArgs Args(const std::string& id = {}) const { return MakeStoreArgs(options_, known_id_, id); }
  // For those who read beside everything else: a store that hangs is left out.
  v1::StoreArgs ReadArgs(const std::string& id) const {
    auto args = Args(id);
    if (hung_) args.set_store_problem(store_error_);
    return args;
  }
  StoreRequests::Hung NoteHang() {
    return [this](const StoreOutcome& outcome) { Unreachable(outcome); };
  }

  void Pump() {
    spool_.Pump();
    PumpStore();
  }

  void Recovered(const StoreOutcome& outcome) {
    if (outcome.ok() && known_id_.empty()) known_id_ = outcome.reply.store_id();
    for (const auto& manifest : outcome.reply.manifests()) {
      recovered_.insert(manifest.incident_id());
      callbacks_.found(manifest);
    }
    for (const auto& manifest : outcome.reply.handed()) StoreForPeer(manifest);
  }

  // --- store -------------------------------------------------------------

  void PumpStore() {
    // Which store is the one meant stands in the spool.
    if (store_busy_ || spool_.recovering()) return;
    const size_t abandoned = workers_.Abandoned();
    if (abandoned < abandoned_before_) {  // one could end: the store may be back
      store_backoff_.Reset();
      own_uploads_cleared_ = false;
    }
    abandoned_before_ = abandoned;
    // No worker more may look whether it is lost: those that hang say it is.
    if (hung_ && abandoned >= kMaxAbandoned) health_.Failed(hung_since_, true, store_error_);
    if (hung_ && (!store_backoff_.Over() || abandoned >= kMaxAbandoned)) return FailRemovals();
    if (IsStatusDue()) return StartStatus();
    if (!reachable_) return FailRemovals();
    if (!removals_.empty()) return StartRemove();
    // Alternating, so that neither a storm of changes nor a long queue starves the other.
    prefer_change_ = !prefer_change_;
    if (prefer_change_ && StartChange()) return;
    if (StartShip() || StartChange()) return;
    if (Now() >= next_retain_) StartRetain();
  }

  bool IsStatusDue() const {
    if (reachable_) return Now() >= next_status_;
    return store_backoff_.Over() || (!hung_ && Now() >= next_status_);
  }

  // Runs a worker that touches the store; ended(outcome) sees it first.
  void StartStoreWorker(const std::string& task, const v1::StoreArgs& args, milliseconds deadline,
                        std::function<void(const StoreOutcome&)> ended) {
    store_busy_ = true;
    workers_.Start(task, args, deadline, [this, ended = std::move(ended)](const StoreOutcome& outcome) {
      store_busy_ = false;
      if (outcome.hung()) Unreachable(outcome);
      if (outcome.was_killed()) own_uploads_cleared_ = false;
      ended(outcome);
      Pump();
    });
  }

  void Unreachable(const StoreOutcome& outcome) {
    reachable_ = false;
    if (outcome.hung() && !hung_) hung_since_ = Now() - outcome.elapsed;
    check_writing_ |= outcome.hung();
    hung_ = outcome.hung();
    store_error_ = hung_ ? "store " + options_.store_url + " does not answer (" + outcome.error +
                               "): check its mount, disk or cluster"
                         : outcome.error;
    store_backoff_.Failed();
    next_status_ = Now() + kStatusInterval;
  }

  void StartStatus() {
    const auto deadline = std::min(options_.deadline, kShortDeadline);
    auto args = Args();
    args.set_check_writing(check_writing_);
    StartStoreWorker("store.status", args, deadline, [this](const StoreOutcome& outcome) {
      if (!outcome.ok()) return StatusFailed(outcome);
      health_.Reached();
      if (!reachable_) {
        ship_backoff_.Reset();
        change_backoff_.Reset();
      }
      reachable_ = true;
      hung_ = false;
      check_writing_ = false;
      space_ = outcome.reply.space();
      name_problem_ = outcome.reply.capture_problem();
      if (outcome.reply.store_id() != known_id_) {
        known_id_ = outcome.reply.store_id();
        spool_.Remember();
      }
      store_error_.clear();
      store_backoff_.Reset();
      next_status_ = Now() + kStatusInterval;
    });
  }

  void StatusFailed(const StoreOutcome& outcome) {
    if (!outcome.hung()) Unreachable(outcome);
    if (outcome.reply.store_full()) return health_.Reached();
    health_.Failed(Now() - outcome.elapsed, outcome.hung(), store_error_);
  }

  // What kept a write from succeeding may keep all: look at the store as a whole next.
  void WriteEnded(const StoreOutcome& outcome, std::string* error, Backoff* backoff) {
    *error = outcome.hung() ? std::string() : outcome.error;
    if (outcome.ok()) {
      backoff->Reset();
    } else {
      backoff->Failed();
      check_writing_ |= !outcome.reply.store_full();
      next_status_ = Now();
    }
  }

  bool StartShip() {
    if (!ship_backoff_.Over()) return false;
    const std::string id = spool_.queue().Next();
    if (id.empty()) return StartShipForPeer();
    auto args = Args(id);
    *args.mutable_incident() = callbacks_.incident(id);
    spool_.queue().SetBusy(id, true);
    StartStoreWorker("store.ship", args, options_.deadline,
                     [this, id](const StoreOutcome& outcome) { ShipEnded(id, outcome); });
    return true;
  }

  bool StartShipForPeer() {
    if (of_peers_.empty()) return false;
    const v1::Manifest manifest = of_peers_.front();
    auto args = Args(manifest.incident_id());
    args.set_handed_node(manifest.node());
    StartStoreWorker("store.ship", args, options_.deadline, [this, manifest](const StoreOutcome& outcome) {
      WriteEnded(outcome, &ship_error_, &ship_backoff_);
      if (!outcome.ok()) return;
      of_peers_.pop_front();
      const auto& reply = outcome.reply;
      const bool stored = !reply.manifests().empty();
      if (stored) Grew(manifest);
      callbacks_.stored_for_peer(manifest, stored                            ? ""
                                           : reply.capture_problem().empty() ? reply.not_found()
                                                                             : reply.capture_problem());
    });
    return true;
  }

  void ShipEnded(const std::string& id, const StoreOutcome& outcome) {
    spool_.queue().SetBusy(id, false);
    WriteEnded(outcome, &ship_error_, &ship_backoff_);
    if (!outcome.ok()) return;
    const auto& reply = outcome.reply;
    if (!reply.capture_problem().empty()) return spool_.queue().Postpone(id, reply.capture_problem());
    spool_.queue().Remove(id);
    for (const auto& damaged : reply.damaged()) spool_.SetAside(damaged);
    if (!reply.not_found().empty()) spool_.Dropped(id, reply.not_found());
    for (const auto& manifest : reply.manifests()) {
      // One of a former life may have been in the store already, and counted: the recount below knows.
      if (recovered_.erase(id) == 0) Grew(manifest);
      next_retain_ = std::min(next_retain_, std::max(Now() + kRetainAfterShip, retain_not_before_));
      callbacks_.stored(manifest, options_.store_url, {});
    }
  }

  void Grew(const v1::Manifest& manifest) {
    store_bytes_ += manifest.archive_bytes();
    ++store_captures_;
  }

  bool StartChange() {
    if (!change_backoff_.Over()) return false;
    const auto due = std::find_if(changes_.begin(), changes_.end(),
                                  [now = Now()](const auto& change) { return change.second.due <= now; });
    if (due == changes_.end()) return false;
    auto args = Args(due->first);
    args.mutable_incident()->Swap(&due->second.incident);
    changes_.erase(due);
    StartStoreWorker("store.put_incident", args, options_.deadline,
                     [this, args](const StoreOutcome& outcome) {
                       WriteEnded(outcome, &change_error_, &change_backoff_);
                       // A newer change of the same incident has taken its place, or it must be tried again.
                       if (!outcome.ok())
                         changes_.try_emplace(args.incident_id(), Change{args.incident(), Now()});
                     });
    return true;
  }

  v1::StoreArgs RetainArgs(bool own_uploads) const {
    return MakeRetainArgs(options_, known_id_, own_uploads, spool_.queue().Ids(), callbacks_.keep_ids());
  }

  void StartRetain() {
    // Of workers that ended; one that hangs may go on with its own.
    const bool clear = !own_uploads_cleared_ && workers_.Abandoned() == 0;
    const auto args = RetainArgs(clear);
    StartStoreWorker("store.retain", args, options_.deadline, [this, clear](const StoreOutcome& outcome) {
      retain_error_ = outcome.hung() ? std::string() : outcome.error;
      retain_not_before_ = Now() + outcome.elapsed * kRetainShare;
      next_retain_ = std::max(Now() + kRetainInterval, retain_not_before_);
      if (outcome.ok()) {
        own_uploads_cleared_ |= clear;
        store_bytes_ = outcome.reply.bytes();
        store_captures_ = outcome.reply.captures();
      }
      for (const auto& removed : outcome.reply.removed()) Retired(removed);
    });
  }

  void Retired(const v1::Removal& removed) {
    changes_.erase(removed.id());
    spool_.Dropped(removed.id(), removed.reason());
  }

  // --- on demand ---------------------------------------------------------

  void StartRemove() {
    auto request = std::move(removals_.front());
    removals_.pop_front();
    spool_.queue().SetBusy(request.id, true);
    StartStoreWorker("store.remove", Args(request.id), options_.deadline,
                     [this, request](const StoreOutcome& outcome) {
                       spool_.queue().SetBusy(request.id, false);
                       if (!outcome.ok()) return request.done(Fail(outcome.error));
                       spool_.queue().Remove(request.id);
                       changes_.erase(request.id);
                       next_retain_ = std::min(next_retain_, retain_not_before_);
                       if (!outcome.reply.not_found().empty())
                         return request.done(Fail(outcome.reply.not_found(), ENOENT));
                       request.done(outcome.reply.bytes_freed());
                     });
  }

  void FailRemovals() {
    std::deque<RemovalRequest> requests;
    requests.swap(removals_);
    for (const auto& request : requests) request.done(Fail(store_error_, EAGAIN));
  }

  ShipperOptions options_;
  ShipperCallbacks callbacks_;
  StoreWorkers workers_;
  StoreHealth health_;
  StoreRequests requests_;
  SpoolKeeper spool_;
  std::map<std::string, Change> changes_;  // incident.json to rewrite
  std::deque<RemovalRequest> removals_;
  std::deque<v1::Manifest> of_peers_;  // whole in <spool>/handed

  bool store_busy_ = false;
  bool reachable_ = false;
  bool hung_ = false;
  bool check_writing_ = false;  // looking at it did not tell why a write failed
  std::string known_id_;        // of the store's marker; empty: never seen
  v1::StoreSpace space_;
  bool prefer_change_ = false;
  bool own_uploads_cleared_ = false;
  size_t abandoned_before_ = 0;
  Backoff store_backoff_;
  Backoff ship_backoff_;
  Backoff change_backoff_;
  Time hung_since_;
  Time next_status_;
  Time next_retain_;
  Time retain_not_before_;
  std::string store_error_;
  std::string ship_error_;
  std::string change_error_;
  std::string retain_error_;
  std::string name_problem_;
  uint64_t store_bytes_ = 0;
  uint64_t store_captures_ = 0;
  std::set<std::string> recovered_;
};

}  // namespace

std::unique_ptr<Shipper> Shipper::Create(ShipperOptions options, Launcher& launcher,
                                         ShipperCallbacks callbacks) {
  return std::make_unique<ShipperImpl>(std::move(options), launcher, std::move(callbacks));
}

}  // namespace ffdc
