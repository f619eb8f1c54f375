// SPDX-License-Identifier: Apache-2.0
// UUIDv7 (RFC 9562, 5.7): sorts by time of creation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ffdc {

// Ids of one generator strictly increase, also when the wall clock steps back.
// Thread-safe.
class UuidGenerator {
 public:
  explicit UuidGenerator(const Clock& clock) : clock_(clock) {}
  std::string Next();

 private:
  const Clock& clock_;
  std::mutex mutex_;
  uint64_t last_ = 0;  // milliseconds << 12 | counter
};

inline constexpr size_t kUuidBytes = 36;  // of its text

// Lower-case 8-4-4-4-12 hex: what may become a folder's name.
bool IsUuid(std::string_view text);
// The creation time inside a UUIDv7, nanoseconds since the epoch (millisecond steps).
int64_t UuidWallNs(std::string_view uuid);

}  // namespace ffdc
