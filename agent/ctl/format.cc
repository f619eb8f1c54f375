// SPDX-License-Identifier: Apache-2.0
#include "ctl/format.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "base/clock.h"

namespace ffdc::ctl {
namespace {

constexpr size_t kShortIdLength = 13;

std::string Decimal(double value, int digits, std::string_view unit) {
  std::array<char, 48> text{};
  snprintf(text.data(), text.size(), "%.*f", digits, value);
  return std::string(text.data()) + " " + std::string(unit);
}

// Three significant digits.
std::string Scaled(uint64_t value, uint64_t unit, std::string_view name) {
  const double scaled = static_cast<double>(value) / static_cast<double>(unit);
  const int digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return Decimal(scaled, digits, name);
}

std::string Two(uint64_t large, std::string_view large_unit, uint64_t small, std::string_view small_unit) {
  std::string text = std::to_string(large) + std::string(large_unit);
  if (small > 0) text += " " + std::to_string(small) + std::string(small_unit);
  return text;
}

// "TIMED_OUT" -> "timed out"
std::string Words(const std::string& name) {
  std::string words;
  for (const char c : name)
    words += c == '_' ? ' ' : static_cast<char>(tolower(static_cast<unsigned char>(c)));
  return words;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return Decimal(value, 1, kUnits[unit]);
}

std::string FormatSpan(uint64_t ns) {
  if (ns < 1'000) return std::to_string(ns) + " ns";
  if (ns < 999'500) return Scaled(ns, 1'000, "µs");
  if (ns < 999'500'000) return Scaled(ns, 1'000'000, "ms");
  const uint64_t seconds = ns / kNsPerSecond;
  if (seconds < 60) return Scaled(ns, kNsPerSecond, "s");
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return Two(minutes, "m", seconds % 60, "s");
  const uint64_t hours = minutes / 60;
  if (hours < 48) return Two(hours, "h", minutes % 60, "m");
  return Two(hours / 24, "d", hours % 24, "h");
}

std::string FormatCount(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string FormatPlural(uint64_t count, std::string_view one, std::string_view many) {
  return FormatCount(count) + " " + std::string(count == 1 ? one : many);
}

std::string FormatUtc(int64_t wall_ns) {
  std::string text = FormatWallNs(wall_ns);  // 2026-11-23T06:12:00.123456789Z
  text.resize(text.size() - sizeof("456789Z") + 1);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

std::string FormatTimeOfDay(int64_t wall_ns) {
  const std::string text = FormatWallNs(wall_ns);
  const size_t start = text.find('T') + 1;
  return text.substr(start, text.size() - start - sizeof("789Z") + 1);
}

std::string FormatAge(int64_t now_wall_ns, int64_t then_wall_ns) {
  // A clock that stepped back gives ages below zero; they tell nothing.
  if (now_wall_ns - then_wall_ns < kNsPerSecond) return "just now";
  const uint64_t seconds = static_cast<uint64_t>(now_wall_ns - then_wall_ns) / kNsPerSecond;
  if (seconds < 60) return std::to_string(seconds) + "s ago";
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return std::to_string(minutes) + "m ago";
  constexpr uint64_t kMinutesPerDay = 1440;
  if (minutes < 2 * kMinutesPerDay) return Two(minutes / 60, "h", minutes % 60, "m") + " ago";
  return std::to_string(minutes / kMinutesPerDay) + "d ago";
}

int64_t WallNs(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::TimestampToNanoseconds(time);
}

std::string ShortId(std::string_view id) { return std::string(id.substr(0, kShortIdLength)); }

std::vector<std::string> ShortIds(const std::vector<std::string>& ids) {
  std::vector<std::string> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> short_ids;
  for (const std::string& id : ids) {
    size_t length = kShortIdLength;
    const auto shares = [&length, &id](const std::string& other) {
      return other != id &&
             std::string_view(other).substr(0, length) == std::string_view(id).substr(0, length);
    };
    // Of sorted ids only the neighbours can share the longest start.
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), id);
    const auto next = std::find_if(at, sorted.end(), [&id](const std::string& other) { return other != id; });
    while (length < id.size() &&
           ((at != sorted.begin() && shares(*std::prev(at))) || (next != sorted.end() && shares(*next)))) {
      ++length;
    }
    short_ids.push_back(id.substr(0, length));
  }
  return short_ids;
}

std::string Word(v1::Severity severity) {
  return severity == v1::SEVERITY_UNSPECIFIED ? "UNKNOWN" : v1::Severity_Name(severity);
}
std::string Word(v1::IncidentState state) {
  return state == v1::INCIDENT_STATE_UNSPECIFIED ? "unknown" : Words(v1::IncidentState_Name(state));
}
std::string Word(v1::CaptureState state) {
  return state == v1::CAPTURE_STATE_UNSPECIFIED ? "unknown" : Words(v1::CaptureState_Name(state));
}
std::string Word(v1::CollectorOutcome outcome) {
  return outcome == v1::COLLECTOR_OUTCOME_UNSPECIFIED ? "unknown" : Words(v1::CollectorOutcome_Name(outcome));
}

Style StyleOf(v1::Severity severity) {
  if (severity == v1::CRITICAL) return Style::kRed;
  return severity == v1::WARNING ? Style::kYellow : Style::kPlain;
}

Style StyleOf(v1::CaptureState state) {
  if (state == v1::STORED) return Style::kGreen;
  return state == v1::FAILED || state == v1::DROPPED || state == v1::UNREACHED ? Style::kRed : Style::kYellow;
}

Style StyleOf(v1::CollectorOutcome outcome) {
  if (outcome == v1::OK) return Style::kGreen;
  return outcome == v1::CUT ? Style::kYellow : Style::kRed;
}

std::string SubjectName(const v1::Subject& subject) {
  return subject.name().empty() ? subject.id() : subject.name();
}

uint64_t EventCount(const v1::Incident& incident) {
  return static_cast<uint64_t>(incident.events_size()) + incident.events_left_out();
}

uint64_t FailureCount(const v1::Incident& incident) {
  uint64_t count = 0;
  for (const v1::Event& event : incident.events()) {
    if (event.domain() != v1::REQUESTED) count += event.count();
  }
  return count;
}

}  // namespace ffdc::ctl
