// SPDX-License-Identifier: Apache-2.0
#include "cluster/join_tokens.h"

#include <google/protobuf/util/time_util.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "base/join_token.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int64_t kKeptNs = 7LL * 24 * 3600 * 1'000'000'000;
constexpr int64_t kLastSecond = 9'000'000'000;  // what fits into nanoseconds
constexpr const char* kMakeAnother = ": make another with `ffdcctl cluster token`";

std::string KeyOf(const std::string& hash) { return JoinTokens::kPrefix + hash; }

Unexpected Used(const std::string& by) {
  return Fail("the token was used before" + (by.empty() ? "" : ", by node '" + by + "'") + kMakeAnother,
              EACCES);
}

}  // namespace

void JoinTokens::OnEntry(const std::string& key, const std::optional<std::string>& value) {
  const std::string hash = key.substr(std::string_view(kPrefix).size());
  v1::JoinTokenRecord record;
  const bool good = value && record.ParseFromString(*value) && record.expires_at().seconds() > 0 &&
                    record.expires_at().seconds() < kLastSecond;
  if (!good) {
    records_.erase(hash);
  } else {
    records_[hash] = std::move(record);
  }
}

void JoinTokens::Add(ClusterDb& db, const std::string& secret, const std::string& made_by,
                     int64_t now_wall_ns, int64_t expires_wall_ns, Done done) {
  Trim(db, now_wall_ns);
  if (records_.size() >= kMaxJoinTokens) {
    return done(Fail("there are " + std::to_string(records_.size()) +
                         " tokens already: those that were used or expired go after a week",
                     EBUSY));
  }
  v1::JoinTokenRecord record;
  *record.mutable_expires_at() = TimeUtil::NanosecondsToTimestamp(expires_wall_ns);
  record.set_made_by(made_by);
  const std::string hash = JoinSecretHash(secret);
  db.Exchange(KeyOf(hash), std::nullopt, record.SerializeAsString(),
              [this, hash, record, done = std::move(done)](const Result<bool>& written) {
                if (!written) return done(Unexpected(written.error()));
                // Before the DB tells of it: whoever has it may come at once.
                records_.try_emplace(hash, record);
                done({});
              });
}

Result<> JoinTokens::Check(const std::string& secret, int64_t now_wall_ns) const {
  const auto found = records_.find(JoinSecretHash(secret));
  if (found == records_.end())
    return Fail(std::string("the token is not one of this cluster, or was over long ago") + kMakeAnother,
                EACCES);
  const v1::JoinTokenRecord& record = found->second;
  if (!record.used_by().empty()) return Used(record.used_by());
  if (now_wall_ns >= TimeUtil::TimestampToNanoseconds(record.expires_at())) {
    return Fail("the token expired at " + TimeUtil::ToString(record.expires_at()) + kMakeAnother, EACCES);
  }
  return {};
}

void JoinTokens::Take(ClusterDb& db, const std::string& secret, const std::string& node, int64_t now_wall_ns,
                      Done done) {
  if (auto checked = Check(secret, now_wall_ns); !checked) return done(std::move(checked));
  const std::string hash = JoinSecretHash(secret);
  const v1::JoinTokenRecord free = records_.at(hash);
  v1::JoinTokenRecord used = free;
  used.set_used_by(node);
  *used.mutable_used_at() = TimeUtil::NanosecondsToTimestamp(now_wall_ns);
  db.Exchange(KeyOf(hash), free.SerializeAsString(), used.SerializeAsString(),
              [this, hash, used, done = std::move(done)](const Result<bool>& taken) {
                if (!taken) {
                  return done(Fail("it is not known whether the token was used (" + taken.error().message +
                                       "): try again, or make another with `ffdcctl cluster token`",
                                   EAGAIN));
                }
                if (!*taken) return done(Used(""));
                records_[hash] = used;
                done({});
              });
}

void JoinTokens::Trim(ClusterDb& db, int64_t now_wall_ns) const {
  std::vector<std::string> old;
  for (const auto& [hash, record] : records_) {
    if (now_wall_ns - kKeptNs > TimeUtil::TimestampToNanoseconds(record.expires_at())) old.push_back(hash);
  }
  // The DB may tell of it at once, and change records_.
  for (const std::string& hash : old) db.Delete(KeyOf(hash));
}

}  // namespace ffdc
