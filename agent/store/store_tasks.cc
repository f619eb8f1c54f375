// SPDX-License-Identifier: Apache-2.0
// The worker tasks "store.*". Each gets a StoreArgs in fds[0] and leaves a
// StoreReply in fds[1]; fds[2] is only held (see store_workers.h).
#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/mem_file.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/copies.h"
#include "store/driver.h"
#include "store/file_source.h"
#include "store/layout.h"
#include "store/pull.h"
#include "store/retention.h"
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

Result<std::unique_ptr<StoreDriver>> Open(const v1::StoreArgs& args) {
  return OpenStore(args.store_url(), args.cluster(), args.node());
}

Result<> ShipTask(Task& task) {
  FFDC_ASSIGN(task.reply, Ship(task.args));
  return {};
}

Result<> PutIncidentTask(Task& task) { return RewriteIncident(task.args); }

Result<> StatusTask(Task& task) {
  FFDC_ASSIGN(const auto store, Open(task.args));
  return store->Prepare();
}

Result<> SpaceTask(Task& task) {
  FFDC_ASSIGN(const auto store, Open(task.args));
  FFDC_ASSIGN(std::string id, store->PoolId());
  if (id.empty()) return {};
  FFDC_ASSIGN(const StoreSpace space, store->Space());
  auto* pool = task.reply.mutable_pool();
  pool->set_id(std::move(id));
  pool->set_used_bytes(space.used_bytes);
  pool->set_total_bytes(space.total_bytes);
  pool->set_quota_bytes(space.quota_bytes);
  pool->set_objects(space.objects);
  pool->set_quota_objects(space.quota_objects);
  return {};
}

Result<> RecoverTask(Task& task) { return Spool(task.args.spool_dir()).Recover(&task.reply); }

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
  FFDC_ASSIGN(const auto store, Open(task.args));
  const Spool spool(task.args.spool_dir());
  const bool spooled = spool.HasSealed(id);
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
  auto copies = Copies(task);
  if (!copies) return Unexpected(std::move(copies).error());
  return Pull(task.args.incident_id(), *copies, task.fds[3]);
}

template <class Message>
Result<Message> ReadJson(StoreDriver& store, const std::string& id, const std::string& node,
                         const std::string& file) {
  FFDC_ASSIGN(const auto source, store.Open(id, node, file));
  FFDC_ASSIGN(const std::string text, ReadText(*source));
  Message message;
  FFDC_TRY(FromJson(text, &message));
  return message;
}

// What stands in the files decides; what cannot be read stays longer.
void Classify(StoreDriver& store, const std::vector<StoredCapture>& captures,
              std::vector<StoredIncident>* incidents) {
  std::map<std::string, std::string> a_node;
  for (const auto& capture : captures) a_node[capture.incident_id] = capture.node;
  for (auto& incident : *incidents) {
    const auto manifest = ReadJson<v1::Manifest>(store, incident.id, a_node[incident.id], kManifestFile);
    incident.repeat = manifest && manifest->repeat();
    const auto description = ReadJson<v1::Incident>(store, incident.id, {}, kIncidentFile);
    if (description && description->pinned()) incident.keep = true;
  }
}

std::vector<StoredIncident> Incidents(const std::vector<StoredCapture>& captures, const v1::StoreArgs& args) {
  const std::set<std::string> keep(args.keep_ids().begin(), args.keep_ids().end());
  std::map<std::string, StoredIncident> incidents;
  for (const auto& capture : captures) {
    auto& incident = incidents[capture.incident_id];
    incident.id = capture.incident_id;
    incident.opened_wall_ns = UuidWallNs(capture.incident_id);
    incident.bytes += capture.bytes;
    incident.keep = keep.contains(capture.incident_id);
  }
  std::vector<StoredIncident> list;
  list.reserve(incidents.size());
  for (auto& [id, incident] : incidents) list.push_back(std::move(incident));
  return list;
}

Result<> RetainTask(Task& task) {
  FFDC_ASSIGN(const auto store, Open(task.args));
  FFDC_TRY(store->RemoveHalfUploads(task.args.own_uploads()));
  FFDC_ASSIGN(const auto captures, store->List());
  const RetentionLimits limits{task.args.max_age_s(), task.args.max_bytes(), task.args.max_incidents()};
  const int64_t now_ns = SystemClock().RealtimeNs();
  auto incidents = Incidents(captures, task.args);
  std::set<std::string> removed;
  if (!PlanRetention(incidents, limits, now_ns).empty()) {
    Classify(*store, captures, &incidents);
    auto steps = PlanRetention(incidents, limits, now_ns);
    steps.resize(std::min(steps.size(), kMaxRemovalsPerRun));
    for (auto& step : steps) {
      FFDC_ASSIGN(const uint64_t bytes, store->Remove(step.id));
      auto* removal = task.reply.add_removed();
      removal->set_id(step.id);
      removal->set_reason(step.reason);
      removal->set_bytes(bytes);
      FFDC_TRY(task.SaveReply());
      removed.insert(step.id);
    }
  }
  for (const auto& capture : captures) {
    if (removed.contains(capture.incident_id)) continue;
    task.reply.set_bytes(task.reply.bytes() + capture.bytes);
    task.reply.set_captures(task.reply.captures() + 1);
  }
  return {};
}

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
      {"store.ship", Wrap(ShipTask)},           {"store.put_incident", Wrap(PutIncidentTask)},
      {"store.manifests", Wrap(ManifestsTask)}, {"store.verify", Wrap(VerifyTask)},
      {"store.remove", Wrap(RemoveTask)},       {"store.pull", Wrap(PullTask)},
      {"store.retain", Wrap(RetainTask)},       {"store.status", Wrap(StatusTask)},
      {"store.space", Wrap(SpaceTask)},         {"store.recover_spool", Wrap(RecoverTask)},
      {"store.drop", Wrap(DropTask)},
  };
}

}  // namespace ffdc
