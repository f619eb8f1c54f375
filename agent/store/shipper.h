// SPDX-License-Identifier: Apache-2.0
// Moves sealed captures from the spool to the store, in workers, with backoff;
// keeps both within their limits. Loop thread only; never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/launcher.h"
#include "base/result.h"
#include "base/store_state.h"
#include "ffdc/v1/capture.pb.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc {

struct ShipperOptions {
  std::string spool_dir;
  uint64_t spool_max_bytes = 2ull << 30;
  std::string store_url;  // "dir:/path", "rados://pool"
  std::string cluster;
  std::string node;
  uint64_t max_age_s = 0;  // retention in the store, 0: no limit
  uint64_t max_bytes = 0;
  uint64_t max_incidents = 0;
  uint64_t max_bytes_per_second = 0;          // of what is sent to the store; 0: no cap
  bool require_marker = false;                // only `ffdcctl store init` initialises the store
  std::chrono::milliseconds deadline{30000};  // of one store operation, without progress
};

// All are needed.
struct ShipperCallbacks {
  // The newest incident.json, fetched when a capture leaves. Empty id: unknown (it is read from the spool).
  std::function<v1::Incident(const std::string& incident_id)> incident;
  // Incidents that retention must not touch (pinned or open).
  std::function<std::vector<std::string>()> keep_ids;
  // A capture is in the store, verified; it has left the spool. by: the peer that stored it, empty: this
  // node.
  std::function<void(const v1::Manifest&, const std::string& where, const std::string& by)> stored;
  // A peer's capture is in the store, or cannot be put there: problem. It has left the spool.
  std::function<void(const v1::Manifest&, const std::string& problem)> stored_for_peer;
  // A capture gave way (spool quota, or retention in the store): state, why.
  std::function<void(const std::string& incident_id, const std::string& reason)> dropped;
  // Found in the spool at the start (sealed in a former life).
  std::function<void(const v1::Manifest&)> found;
  // The store is lost, or back: once each an outage.
  std::function<void(const StoreState&)> store_state;
};

// Work on all of the store that a person asks for.
enum class StoreJob { kList, kVerify, kClean, kMigrate };

class Shipper {
 public:
  static std::unique_ptr<Shipper> Create(ShipperOptions options, Launcher& launcher,
                                         ShipperCallbacks callbacks);
  virtual ~Shipper() = default;

  // Finishes or discards what a former life left half done, queues what lies sealed in the spool.
  virtual void Recover() = 0;
  virtual void Enqueue(const v1::Manifest& manifest) = 0;  // sealed just now
  // incident.json changed for a capture already stored (closed, pinned, ...): rewritten soon.
  virtual void IncidentChanged(const v1::Incident& incident) = 0;
  virtual void Tick() = 0;  // once a second: retries, retention

  // While the store is lost: the next capture that a peer may store. It stays as it is until HandoffEnded.
  // Empty: none, or the store is there.
  virtual std::string HoldForHandoff() = 0;
  // by: the peer that has stored it; empty: none has.
  virtual void HandoffEnded(const v1::Manifest& manifest, const std::string& by) = 0;
  // Of a peer, whole in <spool>/handed: stored after this node's own. Known already: nothing changes.
  virtual void StoreForPeer(const v1::Manifest& manifest) = 0;

  // Whether the capture lies in the spool still.
  [[nodiscard]] virtual bool Has(const std::string& incident_id) const = 0;
  [[nodiscard]] virtual v1::StoreStatus store_status() const = 0;
  [[nodiscard]] virtual v1::SpoolStatus spool_status() const = 0;

  // On demand; done runs on the loop thread.
  virtual void Manifests(const std::string& incident_id,
                         std::function<void(Result<std::vector<v1::Manifest>>)> done) = 0;
  virtual void Verify(const std::string& incident_id, std::function<void(Result<v1::VerifyReport>)> done) = 0;
  virtual void Remove(const std::string& incident_id, std::function<void(Result<uint64_t>)> done) = 0;
  // Writes the incident as one tar archive into out_fd (a pipe's write end); total: announced size.
  virtual void Pull(const std::string& incident_id, Fd out_fd, std::function<void(Result<>)> done) = 0;
  // Takes the store as the one meant, also after another one or none was found in its place.
  virtual void Init(std::function<void(Result<>)> done) = 0;
  // Its progress goes into out_fd (a pipe's write end) as delimited v1::StoreProgress messages; the job ends
  // when nobody reads them. from, to: of a migration.
  virtual void RunJob(StoreJob job, const std::string& from_url, const std::string& to_url, Fd out_fd,
                      std::function<void(Result<>)> done) = 0;
};

// The worker tasks of this stage ("store.*"), for Launcher::Start.
WorkerTasks StoreTasks();
// Is the url well-formed and of a driver that exists?
Result<> CheckStoreUrl(const std::string& url);

}  // namespace ffdc
