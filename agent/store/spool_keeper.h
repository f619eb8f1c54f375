// SPDX-License-Identifier: Apache-2.0
// The shipper's hand in the spool: what lies there, finds out what former lives left, drops what is too
// much, forgets what others have stored. One worker at a time. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "store/shipper.h"
#include "store/spool_queue.h"
#include "store/store_workers.h"

namespace ffdc {

class SpoolKeeper {
 public:
  struct Hooks {
    std::function<v1::StoreArgs()> args;
    // What lies in the spool since a former life, but not what is new since then.
    std::function<void(const StoreOutcome&)> recovered;
    std::function<void()> ended;  // a worker has: there may be more to do
  };
  // options, callbacks and workers outlive it.
  SpoolKeeper(const ShipperOptions& options, const ShipperCallbacks& callbacks, StoreWorkers& workers,
              Hooks hooks)
      : options_(options), callbacks_(callbacks), workers_(workers), hooks_(std::move(hooks)) {}

  void Recover() { recover_wanted_ = true; }
  // What a former life left is not known yet.
  [[nodiscard]] bool recovering() const { return recover_wanted_; }
  void Remember() { remember_wanted_ = true; }  // which store it fills
  void Forget(const v1::Manifest& manifest, const std::string& by) { given_.push_back({manifest, by}); }
  void Pump();

  SpoolQueue& queue() { return queue_; }
  [[nodiscard]] const SpoolQueue& queue() const { return queue_; }
  // Damaged: a person may still want it, so it stays, but no longer waits for the store.
  void SetAside(const v1::Removal& damaged);
  void Dropped(const std::string& id, const std::string& reason);
  [[nodiscard]] v1::SpoolStatus status() const;

 private:
  struct Given {
    v1::Manifest manifest;
    std::string by;
  };
  void Start(const std::string& task, const v1::StoreArgs& args,
             std::function<void(const StoreOutcome&)> ended);
  void StartRecover();
  void StartRemember();
  void StartForget();
  void StartDrop(const std::vector<std::string>& victims);

  const ShipperOptions& options_;
  const ShipperCallbacks& callbacks_;
  StoreWorkers& workers_;
  Hooks hooks_;
  SpoolQueue queue_;
  std::deque<Given> given_;  // stored by peers
  bool busy_ = false;
  bool recover_wanted_ = false;
  bool remember_wanted_ = false;
  Backoff backoff_;
  std::string error_;
  uint64_t dropped_ = 0;
};

}  // namespace ffdc
