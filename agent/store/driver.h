// SPDX-License-Identifier: Apache-2.0
// A store of captures. Every call may block for as long as the store hangs: use
// it in worker tasks only. All writes are idempotent.
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

// Bytes of one stored file, from its beginning.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual uint64_t size_bytes() const = 0;
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;  // 0: the end
};

struct StoredCapture {
  std::string incident_id;
  std::string node;
  uint64_t bytes = 0;
};

// Told of what is sent.
class Transfer {
 public:
  virtual ~Transfer() = default;
  // Paces to the bandwidth cap; may sleep.
  virtual void Sent(uint64_t bytes) = 0;
};

// 0: no such limit, or not known.
struct StoreSpace {
  uint64_t used_bytes = 0, total_bytes = 0, quota_bytes = 0;
  uint64_t objects = 0, quota_objects = 0;
  std::vector<std::pair<std::string, uint64_t>> largest_pools{};  // of the cluster, and the bytes each holds
};

// There is no room: the store is there all the same.
inline bool IsFull(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT; }

class StoreDriver {
 public:
  virtual ~StoreDriver() = default;

  // Writes the store's marker file, by which it is known again. One that is there stays.
  virtual Result<> Init() = 0;
  // The marker's id. Code ENOENT: there is none; EOPNOTSUPP: such a store cannot be mistaken for another one.
  virtual Result<std::string> MarkerId() { return Fail("this kind of store needs no marker", EOPNOTSUPP); }
  // What may be there instead if the marker is missing, and what to do about it, ready to show.
  [[nodiscard]] virtual std::string InItsPlace() const { return "the empty folder below a mount: mount it"; }
  // Whether a store without a marker that nobody has seen before may be taken for an empty one, and be
  // initialised by the agent. An error says why not.
  virtual Result<> MayInit() { return {}; }
  // Makes what the store needs on first use, and checks that it can be written.
  virtual Result<> Prepare() = 0;
  // Finds out by writing what looking at it does not tell.
  virtual Result<> CheckWriting() { return {}; }
  virtual Result<StoreSpace> Space() = 0;
  // The same on every node, "ceph:<fsid>/<pool>"; empty: a folder, whose filesystem is known otherwise.
  virtual Result<std::string> PoolId() { return std::string(); }
  // The servers by which the store is found, "10.0.0.1:3300"; none: a folder, whose mount names them.
  virtual Result<std::vector<std::string>> Servers() { return std::vector<std::string>(); }
  // Copies <folder>/{manifest.json,<its archive>} in; returns when the copy is durable, was
  // read back and compared with the manifest, and is visible. Goes on where a former try ended.
  // Code EEXIST: there is one already; EBADMSG: it reads back wrong.
  virtual Result<> PutCapture(const std::string& folder, const v1::Manifest& manifest,
                              Transfer& transfer) = 0;
  // Replaces incident.json.
  virtual Result<> PutIncident(const std::string& incident_id, std::string_view json) = 0;

  // Every capture of the cluster, in no order.
  virtual Result<std::vector<StoredCapture>> List() = 0;
  // Nodes with a capture of this incident, sorted.
  virtual Result<std::vector<std::string>> Nodes(const std::string& incident_id) = 0;
  // node empty: incident.json. Code ENOENT: it is not there.
  virtual Result<std::unique_ptr<ByteSource>> Open(const std::string& incident_id, const std::string& node,
                                                   const std::string& file) = 0;
  // The whole incident, or only what one node has of it. Returns the bytes freed; none if it is not there.
  virtual Result<uint64_t> Remove(const std::string& incident_id, const std::string& node = {}) = 0;

  // Clears half uploads that nobody can be working on any more; own: those of this node too, except of
  // incidents in `wanted`, which will be continued.
  virtual Result<> RemoveHalfUploads(bool own, const std::set<std::string>& wanted) = 0;
  // Notes that this agent uses this node's name. Returns which other one does too, ready to show; empty:
  // none.
  virtual Result<std::string> ClaimName() { return std::string(); }
  // Held by one node at a time while it applies the limits, so that two do not remove twice what is too
  // much. False: another one holds it now. One whose holder died is taken over after some minutes.
  virtual Result<bool> AcquireLease() { return true; }
  virtual void ReleaseLease() {}
};

// By the url's scheme; all three are checked. node: this node, which names its half uploads.
Result<std::unique_ptr<StoreDriver>> OpenStore(const std::string& url, const std::string& cluster,
                                               const std::string& node);

}  // namespace ffdc
