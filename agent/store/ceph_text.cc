// SPDX-License-Identifier: Apache-2.0
#include "store/ceph_text.h"

#include <algorithm>

#include "base/endpoint.h"
#include "base/rapidjson.h"
#include "base/text.h"
#include "store/layout.h"

namespace ffdc {
namespace {

constexpr std::string_view kStored = "stored";
constexpr std::string_view kUploading = "uploading";
constexpr std::string_view kRemoving = "removing";
constexpr size_t kMaxUploadBytes = 64;
constexpr size_t kMaxPools = 8;  // shown

// Up to the next space, which is cut off as well.
std::string_view NextWord(std::string_view* text) {
  const size_t space = text->find(' ');
  const std::string_view word = text->substr(0, space);
  text->remove_prefix(space == std::string_view::npos ? text->size() : space + 1);
  return word;
}

const rapidjson::Value* Member(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

// Missing, or what no size can be: 0, which stands for unknown.
uint64_t Number(const rapidjson::Value& stats, const char* name) {
  const rapidjson::Value* found = Member(stats, name);
  return found == nullptr || !found->IsUint64() ? 0 : found->GetUint64();
}

std::vector<std::pair<std::string, uint64_t>> LargestPools(const rapidjson::Value& pools) {
  std::vector<std::pair<std::string, uint64_t>> largest;
  for (const auto& pool : pools.GetArray()) {
    const rapidjson::Value* name = Member(pool, "name");
    const rapidjson::Value* stats = Member(pool, "stats");
    if (name == nullptr || !name->IsString()) continue;
    if (stats == nullptr || !stats->IsObject()) continue;
    largest.emplace_back(name->GetString(), Number(*stats, "stored"));
  }
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (largest.size() > kMaxPools) largest.resize(kMaxPools);
  return largest;
}

// "10.0.0.1:3300", of an entry {"type":"v2","addr":"10.0.0.1:3300","nonce":0}.
std::string MonitorAddress(const rapidjson::Value& entry) {
  const rapidjson::Value* address = Member(entry, "addr");
  if (address == nullptr || !address->IsString()) return {};
  const auto endpoint = ParseEndpoint(address->GetString());
  return endpoint ? endpoint->Name() : std::string();
}

}  // namespace

std::optional<IndexEntry> ParseIndexEntry(std::string_view text) {
  const std::string_view word = NextWord(&text);
  IndexEntry entry;
  if (word == kStored) {
    entry.state = IndexEntry::State::kStored;
  } else if (word == kUploading) {
    entry.state = IndexEntry::State::kUploading;
  } else if (word != kRemoving) {
    return std::nullopt;
  }
  const auto bytes = ParseNumber<uint64_t>(NextWord(&text));
  if (!bytes) return std::nullopt;
  entry.bytes = *bytes;
  if (entry.state == IndexEntry::State::kUploading) {
    const auto since = ParseNumber<uint64_t>(NextWord(&text));
    if (!since) return std::nullopt;
    entry.since_s = *since;
    entry.upload = NextWord(&text);
    if (entry.upload.empty() || entry.upload.size() > kMaxUploadBytes) return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  return entry;
}

std::string FormatIndexEntry(const IndexEntry& entry) {
  const std::string bytes = " " + std::to_string(entry.bytes);
  switch (entry.state) {
    case IndexEntry::State::kStored:
      return std::string(kStored) + bytes;
    case IndexEntry::State::kUploading:
      return std::string(kUploading) + bytes + " " + std::to_string(entry.since_s) + " " + entry.upload;
    case IndexEntry::State::kRemoving:
      break;
  }
  return std::string(kRemoving) + bytes;
}

std::optional<IndexKey> ParseIndexKey(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  IndexKey key{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
  if (!CheckIncidentId(key.incident_id) || !CheckName("node name", key.node)) return std::nullopt;
  return key;
}

Result<StoreSpace> ParsePoolSpace(std::string_view json, const std::string& pool) {
  rapidjson::Document document;
  // Iterative: it may be nested as deeply as it likes.
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  const rapidjson::Value* pools = Member(document, "pools");
  if (pools == nullptr || !pools->IsArray()) return Fail("a Ceph monitor gave no list of pools");
  for (const auto& candidate : pools->GetArray()) {
    const rapidjson::Value* name = Member(candidate, "name");
    const rapidjson::Value* stats = Member(candidate, "stats");
    if (name == nullptr || !name->IsString() || name->GetString() != pool) continue;
    if (stats == nullptr || !stats->IsObject()) break;
    StoreSpace space;
    space.used_bytes = Number(*stats, "stored");
    const uint64_t left = Number(*stats, "max_avail");
    space.total_bytes = left > UINT64_MAX - space.used_bytes ? UINT64_MAX : space.used_bytes + left;
    space.quota_bytes = Number(*stats, "quota_bytes");
    space.objects = Number(*stats, "objects");
    space.quota_objects = Number(*stats, "quota_objects");
    space.largest_pools = LargestPools(*pools);
    return space;
  }
  return Fail("a Ceph monitor gave no figures for pool " + pool);
}

// As MonMap::dump writes it since Nautilus: mons[].public_addrs.addrvec[] (Ceph, src/mon/MonMap.cc).
Result<std::vector<std::string>> ParseMonitorMap(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  const rapidjson::Value* monitors = Member(document, "mons");
  if (monitors == nullptr || !monitors->IsArray()) return Fail("a Ceph monitor gave no list of monitors");
  std::vector<std::string> addresses;
  for (const auto& monitor : monitors->GetArray()) {
    const rapidjson::Value* all = Member(monitor, "public_addrs");
    const rapidjson::Value* entries = all == nullptr ? nullptr : Member(*all, "addrvec");
    if (entries == nullptr || !entries->IsArray()) continue;
    for (const auto& entry : entries->GetArray()) {
      std::string address = MonitorAddress(entry);
      if (!address.empty() && addresses.size() < kMaxMonitorAddresses)
        addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

}  // namespace ffdc
