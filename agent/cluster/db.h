// SPDX-License-Identifier: Apache-2.0
// The cluster DB: a few small keys that every node sees the same way. Nothing
// that a capture needs waits for it. All calls and callbacks on the loop's thread;
// none blocks, but for the destructor (seconds, at the agent's end).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"

namespace ffdc {

struct DbOptions {
  std::string url = "embedded";  // or "etcd://host:port,...", "etcds://..." (TLS)
  std::string cluster;
  // Of etcds:// alone; PEM.
  std::string ca;
  std::string certificate;
  std::string key;
};

using DbContent = std::map<std::string, std::string>;  // keys without "/ffdc/v1/<cluster>/"

struct DbCallbacks {
  // Everything there is, after each time that the DB was found (again); then what changes.
  std::function<void(const DbContent&)> snapshot;
  std::function<void(const std::string& key, const std::optional<std::string>& value)> changed;
};

class ClusterDb {
 public:
  virtual ~ClusterDb() = default;
  virtual void Start() = 0;
  // Written once the DB can be reached; a later value of the same key replaces it. Idempotent: one
  // whose answer was lost is written again.
  virtual void Put(const std::string& key, const std::string& value) = 0;
  virtual void Delete(const std::string& key) = 0;
  // There for as long as this agent lives, by a lease.
  virtual void Hold(const std::string& key, const std::string& value) = 0;
  // The same, but only while nobody else holds it: an election.
  virtual void Campaign(const std::string& key, const std::string& value) = 0;
  // Writes value (nullopt: deletes the key) if the key has the value `expected` (nullopt: is not there), in
  // one step whoever else tries. done, on the loop's thread: whether it was so; or an error, EAGAIN, after
  // which nobody knows whether it was. It does not run any more once the DB goes.
  virtual void Exchange(const std::string& key, const std::optional<std::string>& expected,
                        const std::optional<std::string>& value, std::function<void(Result<bool>)> done) = 0;
  // What is held is given up at once, and not held again.
  virtual void Release() = 0;

  // Of etcds:// alone, as in DbOptions: good for each connection from now on; the present one stays.
  virtual void SetTls(const std::string& /*ca*/, const std::string& /*certificate*/,
                      const std::string& /*key*/) {}

  [[nodiscard]] virtual bool reachable() const = 0;
  [[nodiscard]] virtual const std::string& problem() const = 0;  // why not, or what was lost
  [[nodiscard]] virtual size_t pending() const = 0;              // keys that wait to be written
};

// "embedded": of this node alone, in memory (the incident index keeps what must last).
Result<std::unique_ptr<ClusterDb>> OpenClusterDb(const DbOptions& options, EventLoop& loop,
                                                 DbCallbacks callbacks);

}  // namespace ffdc
