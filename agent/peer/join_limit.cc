// SPDX-License-Identifier: Apache-2.0
#include "peer/join_limit.h"

namespace ffdc {
namespace {

std::string HostOf(const std::string& from) { return from.substr(0, from.rfind(':')); }

}  // namespace

bool JoinLimit::Allows(const std::string& from, uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Renew(now_ns);
  const auto found = tries_.find(HostOf(from));
  return all_ < kTriesOfAll && (found == tries_.end() || found->second < kTries);
}

void JoinLimit::Refused(const std::string& from, uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Renew(now_ns);
  ++all_;
  if (tries_.size() < kTriesOfAll) ++tries_[HostOf(from)];
}

std::string JoinLimit::Words() {
  return "too many tries to join failed within a minute: wait for a minute, and see the log of this node";
}

void JoinLimit::Renew(uint64_t now_ns) {
  if (now_ns - begun_ns_ < kWindowNs) return;
  begun_ns_ = now_ns;
  all_ = 0;
  tries_.clear();
}

}  // namespace ffdc
