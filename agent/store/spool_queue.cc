// SPDX-License-Identifier: Apache-2.0
#include "store/spool_queue.h"

#include <algorithm>

#include "base/spool_layout.h"

namespace ffdc {

void SpoolQueue::Add(const v1::Manifest& manifest) {
  const auto [entry, is_new] = captures_.try_emplace(manifest.incident_id());
  if (!is_new) return;
  entry->second.bytes = manifest.archive_bytes() + manifest.ByteSizeLong();
  entry->second.repeat = manifest.repeat();
}

void SpoolQueue::AddDamaged(const v1::Removal& damaged) { damaged_[damaged.id()] = damaged.bytes(); }

void SpoolQueue::Remove(const std::string& id) { captures_.erase(id); }

void SpoolQueue::RemovePath(const std::string& path) {
  const std::string name = NameOf(path);
  if (path.starts_with(DamagedPath(""))) {
    damaged_.erase(name);
  } else {
    captures_.erase(name);
  }
}

std::string SpoolQueue::Next() const {
  std::string repeat;
  for (auto entry = captures_.rbegin(); entry != captures_.rend(); ++entry) {
    if (entry->second.busy || !entry->second.backoff.Over()) continue;
    if (!entry->second.repeat) return entry->first;
    if (repeat.empty()) repeat = entry->first;
  }
  return repeat;
}

void SpoolQueue::Postpone(const std::string& id, std::string problem) {
  const auto entry = captures_.find(id);
  if (entry == captures_.end()) return;
  entry->second.problem = std::move(problem);
  entry->second.backoff.Failed();
}

void SpoolQueue::SetBusy(const std::string& id, bool busy) {
  if (const auto entry = captures_.find(id); entry != captures_.end()) entry->second.busy = busy;
}

std::vector<std::string> SpoolQueue::Victims(uint64_t max_bytes) const {
  uint64_t held = bytes();
  size_t left = captures_.size();
  std::vector<std::string> victims;
  for (const auto& [name, size] : damaged_) {
    if (held <= max_bytes) return victims;
    victims.push_back(DamagedPath(name));
    held -= size;
  }
  const auto drop = [&](const std::string& id, const Entry& entry) {
    if (held <= max_bytes || left <= 1 || entry.busy) return;
    victims.push_back(SealedPath(id));
    held -= entry.bytes;
    --left;
  };
  for (const auto& [id, entry] : captures_) {
    if (entry.repeat) drop(id, entry);
  }
  for (auto entry = captures_.rbegin(); entry != captures_.rend(); ++entry) {
    if (!entry->second.repeat) drop(entry->first, entry->second);
  }
  return victims;
}

uint64_t SpoolQueue::bytes() const {
  uint64_t sum = 0;
  for (const auto& [id, entry] : captures_) sum += entry.bytes;
  for (const auto& [name, size] : damaged_) sum += size;
  return sum;
}

std::vector<std::string> SpoolQueue::Ids() const {
  std::vector<std::string> ids;
  ids.reserve(captures_.size());
  for (const auto& [id, entry] : captures_) ids.push_back(id);
  return ids;
}

std::string SpoolQueue::problem() const {
  const auto entry = std::find_if(captures_.begin(), captures_.end(),
                                  [](const auto& capture) { return !capture.second.problem.empty(); });
  return entry == captures_.end() ? std::string() : entry->second.problem;
}

}  // namespace ffdc
