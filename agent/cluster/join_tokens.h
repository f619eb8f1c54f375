// SPDX-License-Identifier: Apache-2.0
// Tokens that let nodes join, as the cluster DB has them: of each the hash of its secret, until when it is
// good, and who used it. Every node sees them; those that keep the CA make and take them. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/db.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

inline constexpr size_t kMaxJoinTokens = 1000;

class JoinTokens {
 public:
  static constexpr const char* kPrefix = "tokens/";
  using Done = std::function<void(Result<>)>;

  // A snapshot of the DB comes: what was known is forgotten.
  void Clear() { records_.clear(); }
  // A key of the DB that begins with kPrefix. One that makes no sense lets nobody join.
  void OnEntry(const std::string& key, const std::optional<std::string>& value);

  // Keeps the hash of a new secret. done: it is written. EBUSY: there are kMaxJoinTokens already.
  void Add(ClusterDb& db, const std::string& secret, const std::string& made_by, int64_t now_wall_ns,
           int64_t expires_wall_ns, Done done);
  // Whether it could be taken now. EACCES: not known, used or expired, in words for the joiner.
  [[nodiscard]] Result<> Check(const std::string& secret, int64_t now_wall_ns) const;
  // Takes it for node: of any number who try, on any nodes, one succeeds. Errors as Check; EAGAIN: the DB did
  // not answer, and it may be taken.
  void Take(ClusterDb& db, const std::string& secret, const std::string& node, int64_t now_wall_ns,
            Done done);
  // Deletes those that are over for a week; until then a used one can be told from one that never was.
  void Trim(ClusterDb& db, int64_t now_wall_ns) const;

 private:
  std::map<std::string, v1::JoinTokenRecord> records_;  // by hash
};

}  // namespace ffdc
