// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/endpoint.h"
#include "base/fs.h"
#include "base/mem_file.h"

namespace ffdc {
namespace {

constexpr std::string_view kMembers = "members/";
constexpr std::string_view kAlive = "alive/";

}  // namespace

Result<v1::Member> ParseMember(const std::string& node, const std::string& bytes) {
  v1::Member member;
  if (!member.ParseFromString(bytes)) return Fail("member '" + node + "' cannot be read: it is no Member");
  if (member.node() != node) return Fail("member '" + node + "' calls itself '" + member.node() + "'");
  if (!ParseEndpoint(member.address()))
    return Fail("member '" + node + "' has the address '" + member.address() + "', which is none");
  return member;
}

void Membership::UseCopy(const v1::ClusterCopy& copy) {
  for (const v1::Member& member : copy.members()) TakeMember(member.node(), member.SerializeAsString());
  changed_();
}

v1::ClusterCopy Membership::Copy() const {
  v1::ClusterCopy copy;
  for (const auto& [node, member] : members_) *copy.add_members() = member;
  return copy;
}

void Membership::Snapshot(const DbContent& content) {
  const Members before = std::move(members_);
  members_.clear();
  alive_.clear();
  primary_.clear();
  left_out_ = 0;
  for (const auto& [key, value] : content) Take(key, value);
  const bool same =
      before.size() == members_.size() &&
      std::equal(before.begin(), before.end(), members_.begin(), [](const auto& a, const auto& b) {
        return a.first == b.first && a.second.SerializeAsString() == b.second.SerializeAsString();
      });
  if (!same) changed_();
}

void Membership::Changed(const std::string& key, const std::optional<std::string>& value) {
  if (Take(key, value)) changed_();
}

// Whether the members are others than before.
bool Membership::Take(const std::string& key, const std::optional<std::string>& value) {
  if (key.starts_with(kMembers)) return TakeMember(key.substr(kMembers.size()), value);
  if (key.starts_with(kAlive)) {
    const std::string node = key.substr(kAlive.size());
    if (!value) {
      alive_.erase(node);
    } else if (alive_.size() < kMaxMembers) {
      alive_.insert(node);
    }
  } else if (key == kPrimaryKey) {
    primary_ = value.value_or("");
  }
  return false;
}

bool Membership::TakeMember(const std::string& node, const std::optional<std::string>& value) {
  if (!value) return members_.erase(node) != 0;
  auto member = ParseMember(node, *value);
  if (!member || (members_.size() >= kMaxMembers && !members_.contains(node))) {
    ++left_out_;
    return false;
  }
  v1::Member& known = members_[node];
  if (known.SerializeAsString() == member->SerializeAsString()) return false;
  known = std::move(*member);
  return true;
}

const v1::Member* Membership::Find(const std::string& node) const {
  const auto found = members_.find(node);
  return found == members_.end() ? nullptr : &found->second;
}

WorkerTasks ClusterCopyTasks() {
  WorkerTasks tasks;
  tasks["cluster.save"] = [](std::string_view, std::span<const int> fds) -> Result<std::string> {
    v1::ClusterCopyArgs args;
    FFDC_TRY(ReadMessage(fds[0], &args));
    const std::string fresh = args.path() + ".new";
    FFDC_TRY(WriteFileSynced(fresh, args.copy().SerializeAsString()));
    FFDC_TRY(RenameDurable(fresh, args.path()));
    return std::string();
  };
  tasks["cluster.load"] = [](std::string_view path, std::span<const int> fds) -> Result<std::string> {
    const auto bytes = ReadFile(std::string(path));
    if (!bytes && bytes.error().code == ENOENT) return std::string();
    if (!bytes) return Unexpected(bytes.error());
    v1::ClusterCopy copy;
    if (!copy.ParseFromString(*bytes))
      return Fail(std::string(path) + " is damaged: it is written anew once the cluster DB answers");
    FFDC_TRY(WriteMessage(fds[0], copy));
    return std::string();
  };
  return tasks;
}

}  // namespace ffdc
