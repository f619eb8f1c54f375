// SPDX-License-Identifier: Apache-2.0
// The little of Ceph that the store needs: one pool, or a namespace in it. What implements it
// links librados and lies in a module of its own (store/rados/), which a host without Ceph need
// not have; this header is all that the two share, so nothing of the agent is linked twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/store_url.h"

namespace ffdc {

struct CephAnswer {
  std::string data;     // of a read; shorter than asked for at the object's end
  uint32_t crc32c = 0;  // of a checksum
};

// Memory of the pool's for what is to be written. It goes out from there, so that it stays as it is from
// the first Crc32c() or Write on, until it is used again.
class CephBuffer {
 public:
  virtual ~CephBuffer() = default;
  [[nodiscard]] virtual char* data() = 0;
  [[nodiscard]] virtual std::string_view bytes() const = 0;
  // As the OSD computes it (CephPool::Checksum). Kept: the way there needs the same.
  [[nodiscard]] virtual uint32_t Crc32c() const = 0;
  // For other bytes. False, and it stays as it is: it is too small, or still on its way (a write that timed
  // out).
  virtual bool Reuse(size_t size) = 0;
};
using CephBufferPtr = std::unique_ptr<CephBuffer>;

// An operation under way. Ends after kCephOpTimeoutS at the latest, with ETIMEDOUT.
class CephOp {
 public:
  virtual ~CephOp() = default;  // waits for its end
  virtual Result<CephAnswer> Wait() = 0;
};
using CephOpPtr = std::unique_ptr<CephOp>;

inline constexpr int kCephConnectTimeoutS = 5;
inline constexpr int kCephOpTimeoutS = 20;

// The code of each error is an errno: ENOENT: no such object (or no pool any more), EDQUOT and ENOSPC:
// full, ESHUTDOWN: the cluster has shut this client out. Index entries are an object's omap.
class CephPool {
 public:
  virtual ~CephPool() = default;

  // At most a few MiB each, and less than 100 MiB under way: librados blocks above that.
  virtual CephOpPtr Write(const std::string& object, uint64_t offset, const CephBuffer& data) = 0;
  virtual CephOpPtr Read(const std::string& object, uint64_t offset, uint64_t size) = 0;
  // CRC-32C of what is stored, computed by the OSD that reads it.
  virtual CephOpPtr Checksum(const std::string& object, uint64_t offset, uint64_t size) = 0;
  [[nodiscard]] virtual CephBufferPtr Allocate(size_t size) const = 0;

  virtual Result<uint64_t> Size(const std::string& object) = 0;
  // Both in one step. Create: code EEXIST: there is one, which stays.
  virtual Result<> Replace(const std::string& object, std::string_view data) = 0;
  virtual Result<> Create(const std::string& object, std::string_view data) = 0;
  virtual Result<> Remove(const std::string& object) = 0;

  virtual Result<> SetEntry(const std::string& index, const std::string& key, const std::string& value) = 0;
  // In one step. expected empty: none, or an empty one. Code ECANCELED: it is not `expected` (any more);
  // ENOENT: there is no such index.
  virtual Result<> ReplaceEntry(const std::string& index, const std::string& key, const std::string& expected,
                                const std::string& value) = 0;
  virtual Result<> RemoveEntry(const std::string& index, const std::string& key) = 0;
  // Those whose key begins so; none if there is no such index.
  virtual Result<std::map<std::string, std::string>> Entries(const std::string& index,
                                                             const std::string& prefix) = 0;

  // Whether it is still there, and the same one. Code ESTALE: it was removed since this was connected, and
  // maybe made anew.
  virtual Result<> CheckPool() = 0;
  // A monitor's answer to a command in JSON.
  virtual Result<std::string> AskMonitor(const std::string& command) = 0;
  [[nodiscard]] virtual std::string fsid() const = 0;
};

// What the module exports: `ffdc_ceph_module` of this type. Both sides come from one source tree; the
// version stands against a module left over from another package.
inline constexpr uint32_t kCephModuleVersion = 3;
struct CephModule {
  uint32_t version;
  Result<std::unique_ptr<CephPool>> (*connect)(const RadosUrl& url);
};

}  // namespace ffdc
