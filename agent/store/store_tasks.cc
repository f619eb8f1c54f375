// SPDX-License-Identifier: Apache-2.0
// The worker tasks "store.*". Each gets a StoreArgs in fds[0] and leaves a
// StoreReply in fds[1]; fds[2] is only held (see store_workers.h).
#include <cerrno>

#include "base/mem_file.h"
#include "base/spool_layout.h"
#include "store/copies.h"
#include "store/driver.h"
#include "store/file_source.h"
#include "store/handoff_files.h"
#include "store/jobs.h"
#include "store/known_store.h"
#include "store/layout.h"
#include "store/migrate.h"
#include "store/pull.h"
#include "store/retain.h"
#include "store/ship.h"
#include "store/shipper.h"
#include "store/spool.h"
#include "store/verify.h"

namespace ffdc {
namespace {

// What retention removes in one run, so that a run ends well before its deadline.
constexpr size_t kMaxRemovalsPerRun = 200;

struct Task {
  v1::StoreArgs args;
  v1::StoreReply reply;
  std::span<const int> fds;

  // The agent reads it even if this worker does not come to its end: a removal is never forgotten.
  Result<> SaveReply() const { return WriteMessage(fds[1], reply); }
};

Result<> ShipTask(Task& task) {
  auto shipped = Ship(task.args);
  if (!shipped) {
    task.reply.set_store_full(IsFull(shipped.error()));
    FFDC_TRY(task.SaveReply());
    return Unexpected(std::move(shipped).error());
  }
  task.reply = std::move(*shipped);
  return {};
}

Result<> PutIncidentTask(Task& task) { return RewriteIncident(task.args); }

void SetSpace(const StoreSpace& space, v1::StoreSpace* shown) {
  shown->set_used_bytes(space.used_bytes);
  shown->set_total_bytes(space.total_bytes);
  shown->set_quota_bytes(space.quota_bytes);
  shown->set_objects(space.objects);
  shown->set_quota_objects(space.quota_objects);
  for (const auto& [name, bytes] : space.largest_pools) {
    auto* pool = shown->add_largest_pools();
    pool->set_name(name);
    pool->set_stored_bytes(bytes);
  }
}

Result<> LookAtStore(Task& task) {
  FFDC_ASSIGN(const auto store, OpenKnownStore(task.args, StoreUse::kWrite, task.reply.mutable_store_id()));
  FFDC_TRY(store->Prepare());
  if (task.args.check_writing()) FFDC_TRY(store->CheckWriting());
  FFDC_ASSIGN(*task.reply.mutable_capture_problem(), store->ClaimName());
  // How full it is may be unknown: it works all the same.
  if (const auto space = store->Space()) SetSpace(*space, task.reply.mutable_space());
  return {};
}

Result<> StatusTask(Task& task) {
  auto looked = LookAtStore(task);
  if (looked) return {};
  task.reply.set_store_full(IsFull(looked.error()));
  FFDC_TRY(task.SaveReply());
  return looked;
}

// Asks no more than a monitor: which store it is does not matter, and it may be one that is lost.
Result<> SpaceTask(Task& task) {
  FFDC_ASSIGN(const auto store, OpenStore(task.args.store_url(), task.args.cluster(), task.args.node()));
  FFDC_ASSIGN(*task.reply.mutable_pool_id(), store->PoolId());
  if (task.reply.pool_id().empty()) return {};
  FFDC_ASSIGN(const StoreSpace space, store->Space());
  SetSpace(space, task.reply.mutable_space());
  // It can be told how full it is all the same.
  if (const auto servers = store->Servers())
    *task.reply.mutable_servers() = {servers->begin(), servers->end()};
  return {};
}

Result<> RecoverTask(Task& task) {
  FFDC_ASSIGN(*task.reply.mutable_store_id(), ReadKnownStore(task.args));
  return Spool(task.args.spool_dir()).Recover(&task.reply);
}

Result<> DropTask(Task& task) {
  const Spool spool(task.args.spool_dir());
  for (const auto& path : task.args.drop()) {
    FFDC_ASSIGN(const uint64_t bytes, spool.Remove(path));
    auto* removal = task.reply.add_removed();
    removal->set_id(path);
    removal->set_bytes(bytes);
    FFDC_TRY(task.SaveReply());
  }
  return {};
}

Result<> RemoveTask(Task& task) {
  const auto& id = task.args.incident_id();
  FFDC_TRY(CheckIncidentId(id));
  FFDC_ASSIGN(const auto store, OpenKnownStore(task.args, StoreUse::kRead));
  const Spool spool(task.args.spool_dir());
  const bool spooled = spool.Has(SealedPath(id));
  FFDC_ASSIGN(uint64_t bytes, store->Remove(id));
  if (bytes == 0 && !spooled)
    task.reply.set_not_found("neither the spool nor " + task.args.store_url() + " has incident " + id);
  if (spooled) {
    FFDC_ASSIGN(const uint64_t spool_bytes, spool.Remove(SealedPath(id)));
    bytes += spool_bytes;
  }
  task.reply.set_bytes_freed(bytes);
  return {};
}

Result<IncidentCopies> Copies(Task& task) {
  auto copies = FindCopies(task.args);
  if (!copies && copies.error().code == ENOENT) task.reply.set_not_found(copies.error().message);
  return copies;
}

Result<> ManifestsTask(Task& task) {
  auto copies = Copies(task);
  if (!copies) return Unexpected(std::move(copies).error());
  for (const auto& copy : copies->captures) {
    if (!copy.manifest) return Unexpected(copy.manifest.error());
    FFDC_ASSIGN(const std::string text, ReadText(**copy.manifest));
    auto manifest = ParseManifest(text);
    if (!manifest) return Unexpected(manifest.error().In(copy.node + "/" + kManifestFile));
    *task.reply.add_manifests() = std::move(*manifest);
  }
  return {};
}

Result<> VerifyTask(Task& task) {
  auto copies = Copies(task);
  if (!copies) return Unexpected(std::move(copies).error());
  *task.reply.mutable_verify() = Verify(task.args.incident_id(), std::move(*copies));
  return {};
}

// fds[3]: where to.
Result<> PullTask(Task& task) {
  const auto to_read = Copies(task);
  if (!to_read) return Unexpected(to_read.error());
  Timeline timeline = TimelineOf(*to_read);
  const auto copies = Copies(task);
  if (!copies) return Unexpected(copies.error());
  return Pull(task.args.incident_id(), *copies, std::move(timeline), task.fds[3]);
}

Result<> RetainTask(Task& task) {
  FFDC_ASSIGN(const auto store, OpenKnownStore(task.args, StoreUse::kWrite));
  return Retain(*store, task.args, kMaxRemovalsPerRun, &task.reply,
                [&task](const v1::Removal& /*removal*/) { return task.SaveReply(); });
}

Result<> InitTask(Task& task) {
  FFDC_ASSIGN(*task.reply.mutable_store_id(), InitStore(task.args));
  return {};
}

Result<> RememberTask(Task& task) { return RememberStore(task.args); }

template <Result<v1::StoreReply> (*run)(const v1::StoreArgs&)>
Result<> HandoffTask(Task& task) {
  FFDC_ASSIGN(task.reply, run(task.args));
  return {};
}
Result<> DropHandedTask(Task& task) { return DropHanded(task.args); }

// fds[3]: where the progress of work on the whole store goes.
Result<> ListTask(Task& task) { return ListStore(task.args, task.fds[3]); }
Result<> VerifyAllTask(Task& task) { return VerifyStore(task.args, task.fds[3]); }
Result<> CleanTask(Task& task) {
  return CleanStore(task.args, task.fds[3], &task.reply, [&task] { return task.SaveReply(); });
}
Result<> MigrateTask(Task& task) { return MigrateStore(task.args, task.fds[3]); }

WorkerTask Wrap(Result<> (*run)(Task&)) {
  return [run](std::string_view /*argument*/, std::span<const int> fds) -> Result<std::string> {
    Task task;
    task.fds = fds;
    FFDC_TRY(ReadMessage(fds[0], &task.args));
    auto done = run(task);
    if (!done && task.reply.not_found().empty()) return Unexpected(std::move(done).error());
    FFDC_TRY(task.SaveReply());
    return std::string();
  };
}

}  // namespace

WorkerTasks StoreTasks() {
  return {
      {"store.ship", Wrap(ShipTask)},
      {"store.put_incident", Wrap(PutIncidentTask)},
      {"store.manifests", Wrap(ManifestsTask)},
      {"store.verify", Wrap(VerifyTask)},
      {"store.remove", Wrap(RemoveTask)},
      {"store.pull", Wrap(PullTask)},
      {"store.retain", Wrap(RetainTask)},
      {"store.status", Wrap(StatusTask)},
      {"store.space", Wrap(SpaceTask)},
      {"store.recover_spool", Wrap(RecoverTask)},
      {"store.drop", Wrap(DropTask)},
      {"store.init", Wrap(InitTask)},
      {"store.remember", Wrap(RememberTask)},
      {"store.describe_sealed", Wrap(HandoffTask<DescribeSealed>)},
      {"store.read_sealed", Wrap(HandoffTask<ReadSealed>)},
      {"store.begin_handed", Wrap(HandoffTask<BeginHanded>)},
      {"store.add_to_handed", Wrap(HandoffTask<AddToHanded>)},
      {"store.drop_handed", Wrap(DropHandedTask)},
      {"store.list", Wrap(ListTask)},
      {"store.verify_all", Wrap(VerifyAllTask)},
      {"store.clean", Wrap(CleanTask)},
      {"store.migrate", Wrap(MigrateTask)},
  };
}

}  // namespace ffdc
