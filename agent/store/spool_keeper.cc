// SPDX-License-Identifier: Apache-2.0
#include "store/spool_keeper.h"

#include "base/spool_layout.h"
#include "base/uuid.h"

namespace ffdc {

void SpoolKeeper::Pump() {
  if (busy_ || !backoff_.Over()) return;
  if (recover_wanted_) return StartRecover();
  if (remember_wanted_) return StartRemember();
  if (!given_.empty()) return StartForget();
  const auto victims = queue_.Victims(options_.spool_max_bytes);
  if (!victims.empty()) StartDrop(victims);
}

void SpoolKeeper::Start(const std::string& task, const v1::StoreArgs& args,
                        std::function<void(const StoreOutcome&)> ended) {
  busy_ = true;
  workers_.Start(task, args, options_.deadline,
                 [this, ended = std::move(ended)](const StoreOutcome& outcome) {
                   busy_ = false;
                   error_ = outcome.error;
                   if (outcome.ok()) {
                     backoff_.Reset();
                   } else {
                     backoff_.Failed();
                   }
                   ended(outcome);
                   hooks_.ended();
                 });
}

void SpoolKeeper::StartRecover() {
  Start("store.recover_spool", hooks_.args(), [this](const StoreOutcome& outcome) {
    if (outcome.ok()) recover_wanted_ = false;
    for (const auto& damaged : outcome.reply.damaged()) SetAside(damaged);
    StoreOutcome found = outcome;
    found.reply.clear_manifests();
    for (const auto& manifest : outcome.reply.manifests()) {
      if (queue_.Contains(manifest.incident_id())) continue;  // sealed just now
      queue_.Add(manifest);
      *found.reply.add_manifests() = manifest;
    }
    hooks_.recovered(found);
  });
}

void SpoolKeeper::StartRemember() {
  const auto args = hooks_.args();
  Start("store.remember", args, [this, args](const StoreOutcome& outcome) {
    if (outcome.ok() && args.known_store_id() == hooks_.args().known_store_id()) remember_wanted_ = false;
  });
}

void SpoolKeeper::StartForget() {
  const Given given = given_.front();
  auto args = hooks_.args();
  args.add_drop(SealedPath(given.manifest.incident_id()));
  Start("store.drop", args, [this, given](const StoreOutcome& outcome) {
    if (!outcome.ok()) return;
    given_.pop_front();
    queue_.Remove(given.manifest.incident_id());
    callbacks_.stored(given.manifest, options_.store_url, given.by);
  });
}

void SpoolKeeper::StartDrop(const std::vector<std::string>& victims) {
  auto args = hooks_.args();
  for (const auto& path : victims) {
    args.add_drop(path);
    queue_.SetBusy(SpoolQueue::NameOf(path), true);
  }
  Start("store.drop", args, [this, victims](const StoreOutcome& outcome) {
    for (const auto& path : victims) queue_.SetBusy(SpoolQueue::NameOf(path), false);
    for (const auto& removed : outcome.reply.removed()) {
      queue_.RemovePath(removed.id());
      Dropped(SpoolQueue::NameOf(removed.id()).substr(0, kUuidBytes),
              "spool quota: more than " + std::to_string(options_.spool_max_bytes) +
                  " bytes waited for the store");
    }
  });
}

void SpoolKeeper::SetAside(const v1::Removal& damaged) {
  queue_.AddDamaged(damaged);
  if (!damaged.reason().empty()) Dropped(damaged.id().substr(0, kUuidBytes), damaged.reason());
}

void SpoolKeeper::Dropped(const std::string& id, const std::string& reason) {
  ++dropped_;
  callbacks_.dropped(id, reason);
}

v1::SpoolStatus SpoolKeeper::status() const {
  v1::SpoolStatus status;
  status.set_path(options_.spool_dir);
  status.set_bytes(queue_.bytes());
  status.set_max_bytes(options_.spool_max_bytes);
  status.set_captures(queue_.size());
  status.set_dropped(dropped_);
  status.set_error(error_);
  return status;
}

}  // namespace ffdc
