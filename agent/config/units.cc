// SPDX-License-Identifier: Apache-2.0
// Durations and sizes as people write them. Whole numbers only: what the agent
// uses is exactly what stands in the file.
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "config/settings.h"

namespace ffdc {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
  uint64_t at_least = 1;  // fewer of them read better in the next smaller unit: "60s", not "1m"
};

constexpr std::array kDurationUnits{
    Unit{"d", 86'400'000'000'000, 2},
    Unit{"h", 3'600'000'000'000, 2},
    Unit{"m", 60'000'000'000, 2},
    Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},
    Unit{"us", 1'000},
    Unit{"ns", 1},
};
constexpr std::array kBinaryUnits{
    Unit{"TiB", 1ull << 40},
    Unit{"GiB", 1ull << 30},
    Unit{"MiB", 1ull << 20},
    Unit{"KiB", 1ull << 10},
    Unit{"B", 1},
};
constexpr std::array kSizeUnits{
    Unit{"TiB", 1ull << 40},
    Unit{"GiB", 1ull << 30},
    Unit{"MiB", 1ull << 20},
    Unit{"KiB", 1ull << 10},
    Unit{"TB", 1'000'000'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"MB", 1'000'000},
    Unit{"kB", 1'000},
    Unit{"KB", 1'000},
    Unit{"B", 1},
};

template <size_t N>
const Unit* FindUnit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Multiplies and adds; false if the sum does not fit below `limit`.
bool Accumulate(uint64_t number, uint64_t factor, uint64_t limit, uint64_t& sum) {
  uint64_t product = 0;
  return !__builtin_mul_overflow(number, factor, &product) && !__builtin_add_overflow(sum, product, &sum) &&
         sum <= limit;
}

// Takes the number and the unit's name off the front of `text`; false if there is no number.
bool TakeTerm(std::string_view& text, uint64_t& number, std::string_view& unit, bool& too_large) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return false;
  too_large = error == std::errc::result_out_of_range;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  const size_t length = std::min(text.find_first_of("0123456789"), text.size());
  unit = text.substr(0, length);
  text.remove_prefix(length);
  return true;
}

Unexpected Bad(std::string_view text, std::string_view kind, const std::string& why) {
  return Fail("\"" + std::string(text) + "\" is not a " + std::string(kind) + ": " + why, EINVAL);
}

template <size_t N>
std::string Format(const std::array<Unit, N>& units, uint64_t value) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && value / unit.factor >= unit.at_least) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return "0" + std::string(units.back().name);
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  constexpr std::string_view kKind = "duration";
  constexpr uint64_t kLimit = std::numeric_limits<int64_t>::max();
  uint64_t sum = 0;
  uint64_t last_factor = std::numeric_limits<uint64_t>::max();
  std::string_view rest = text;
  do {
    uint64_t number = 0;
    std::string_view name;
    bool too_large = false;
    if (!TakeTerm(rest, number, name, too_large)) {
      return Bad(text, kKind, R"(write whole numbers with units, such as "60s", "500ms" or "1h30m")");
    }
    if (name.empty()) return Bad(text, kKind, "a number needs a unit: d, h, m, s, ms, us or ns");
    const Unit* unit = FindUnit(kDurationUnits, name);
    if (unit == nullptr) {
      return Bad(text, kKind, "unknown unit '" + std::string(name) + "': use d, h, m, s, ms, us or ns");
    }
    if (unit->factor >= last_factor) return Bad(text, kKind, "units must go from large to small, each once");
    last_factor = unit->factor;
    if (too_large || !Accumulate(number, unit->factor, kLimit, sum))
      return Bad(text, kKind, "it is too long");
  } while (!rest.empty());
  return std::chrono::nanoseconds(static_cast<int64_t>(sum));
}

Result<uint64_t> ParseSize(std::string_view text) {
  constexpr std::string_view kKind = "size";
  std::string_view rest = text;
  uint64_t number = 0;
  std::string_view name;
  bool too_large = false;
  if (!TakeTerm(rest, number, name, too_large)) {
    return Bad(text, kKind, R"(write a whole number with a unit, such as "2GiB" or "512KiB")");
  }
  name = text.substr(static_cast<size_t>(name.data() - text.data()));
  if (name.empty()) return Bad(text, kKind, "a number needs a unit: B, KiB, MiB, GiB, TiB, kB, MB, GB or TB");
  const Unit* unit = FindUnit(kSizeUnits, name);
  if (unit == nullptr) {
    return Bad(text, kKind,
               "unknown unit '" + std::string(name) + "': use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB");
  }
  uint64_t bytes = 0;
  if (too_large || !Accumulate(number, unit->factor, std::numeric_limits<uint64_t>::max(), bytes)) {
    return Bad(text, kKind, "it is too large");
  }
  return bytes;
}

std::string FormatDuration(std::chrono::nanoseconds value) {
  if (value.count() == 0) return "0s";
  return Format(kDurationUnits, static_cast<uint64_t>(value.count()));
}

std::string FormatSize(uint64_t bytes) { return Format(kBinaryUnits, bytes); }

}  // namespace ffdc
