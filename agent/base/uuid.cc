// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace ffdc {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

constexpr std::array<size_t, 4> kDashes = {8, 13, 18, 23};

bool IsDash(size_t i) { return std::find(kDashes.begin(), kDashes.end(), i) != kDashes.end(); }

}  // namespace

// RFC 9562, 6.2 method 1: rand_a is a counter within the millisecond, which runs
// over into the milliseconds when it is exhausted or the clock stepped back.
std::string UuidGenerator::Next() {
  uint64_t stamp = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto now = static_cast<uint64_t>(clock_.RealtimeNs() / kNsPerMs) << 12;
    last_ = stamp = std::max(now, last_ + 1);
  }
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = clock_.MonotonicNs();
  const uint64_t high = (stamp >> 12) << 16 | 0x7000u | (stamp & 0xfff);
  const uint64_t low = (random & 0x3fff'ffff'ffff'ffffull) | 0x8000'0000'0000'0000ull;
  std::array<char, 40> text{};
  snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
           static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
           static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xffff'ffff'ffffull));
  return text.data();
}

bool IsUuid(std::string_view text) {
  if (text.size() != kUuidBytes) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (IsDash(i) ? c != '-' : !hex) return false;
  }
  return true;
}

int64_t UuidWallNs(std::string_view uuid) {
  if (!IsUuid(uuid)) return 0;
  const std::string digits = std::string(uuid.substr(0, 8)) + std::string(uuid.substr(9, 4));
  uint64_t ms = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), ms, 16);
  return static_cast<int64_t>(ms) * kNsPerMs;
}

}  // namespace ffdc
