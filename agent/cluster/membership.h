// SPDX-License-Identifier: Apache-2.0
// Who belongs to the cluster, who is alive and who is primary, as the cluster DB
// says; without it, as the node's own copy says. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/launcher.h"
#include "base/result.h"
#include "cluster/db.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

inline constexpr size_t kMaxMembers = 1024;

class Membership {
 public:
  using Members = std::map<std::string, v1::Member>;
  // self: this node. changed: members() are others than before.
  Membership(std::string self, std::function<void()> changed)
      : self_(std::move(self)), changed_(std::move(changed)) {}

  // Before anything came from the DB.
  void UseCopy(const v1::ClusterCopy& copy);
  [[nodiscard]] v1::ClusterCopy Copy() const;

  void Snapshot(const DbContent& content);
  void Changed(const std::string& key, const std::optional<std::string>& value);

  [[nodiscard]] const Members& members() const { return members_; }
  [[nodiscard]] const v1::Member* Find(const std::string& node) const;
  [[nodiscard]] const std::set<std::string>& alive() const { return alive_; }
  [[nodiscard]] const std::string& primary() const { return primary_; }
  // What did not fit, or could not be read.
  [[nodiscard]] uint64_t left_out() const { return left_out_; }

  static std::string MemberKey(const std::string& node) { return "members/" + node; }
  static std::string AliveKey(const std::string& node) { return "alive/" + node; }
  static std::string IncidentKey(const std::string& id) { return "incidents/" + id; }
  static std::string CaptureKey(const std::string& id, const std::string& node) {
    return IncidentKey(id) + "/captures/" + node;
  }
  // Of an incident that a person deleted: nodes that were away delete it once they see this.
  static std::string DeletedKey(const std::string& id) { return std::string(kDeleted) + id; }
  static constexpr const char* kDeleted = "deleted/";
  // What a person said last of an incident: kPinnedValue, or anything else for unpinned.
  static std::string PinKey(const std::string& id) { return std::string(kPins) + id; }
  static constexpr const char* kPins = "pins/";
  static constexpr const char* kPinnedValue = "pinned";
  static constexpr const char* kPrimaryKey = "primary";

 private:
  bool Take(const std::string& key, const std::optional<std::string>& value);
  bool TakeMember(const std::string& node, const std::optional<std::string>& value);

  std::string self_;
  std::function<void()> changed_;
  Members members_;
  std::set<std::string> alive_;
  std::string primary_;
  uint64_t left_out_ = 0;
};

// A member as the DB or a file has it; an error says what is wrong with it.
Result<v1::Member> ParseMember(const std::string& node, const std::string& bytes);

// "cluster.save": a ClusterCopyArgs in a memory file (base/mem_file.h). "cluster.load": the path in, a
// ClusterCopy out, in a memory file; a missing file is an empty copy.
WorkerTasks ClusterCopyTasks();

}  // namespace ffdc
