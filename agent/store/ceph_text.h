// SPDX-License-Identifier: Apache-2.0
// What the store reads from a Ceph pool and its monitors: bytes from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/driver.h"

namespace ffdc {

// The value of an entry in a day's index: in which state the capture is.
struct IndexEntry {
  enum class State {
    kStored,     // "stored <bytes>": whole, and to be seen
    kUploading,  // "uploading <bytes> <since> <upload>": on its way in, or given up on it
    kRemoving,   // "removing <bytes>": on its way out
  };
  State state = State::kRemoving;
  uint64_t bytes = 0;    // of the archive at least; kStored: with its manifest
  uint64_t since_s = 0;  // seconds since the epoch, by the uploader's clock
  std::string upload;    // which try
};
// Nothing: it is none.
std::optional<IndexEntry> ParseIndexEntry(std::string_view text);
std::string FormatIndexEntry(const IndexEntry& entry);

// The key of an entry: "<incident-id>/<node>", as it may become part of an object's name.
struct IndexKey {
  std::string incident_id;
  std::string node;
};
std::optional<IndexKey> ParseIndexKey(std::string_view text);

// Of one pool, from the answer to "df detail" in JSON.
Result<StoreSpace> ParsePoolSpace(std::string_view json, const std::string& pool);
// Where the monitors listen, "10.0.0.1:3300" and "[fd00::1]:6789", from the answer to "mon dump" in JSON.
// At most kMaxMonitorAddresses.
inline constexpr size_t kMaxMonitorAddresses = 64;
Result<std::vector<std::string>> ParseMonitorMap(std::string_view json);

}  // namespace ffdc
