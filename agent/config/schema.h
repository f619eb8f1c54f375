// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration, once: where its value lies in Settings, what
// it may be, and its line in the sample. Parsing, DescribeSettings and the
// sample configuration all read this table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace ffdc::config {

// A value as the file has it, free of the TOML library. `kind` is for messages: "an integer".
struct RawValue {
  std::variant<std::monostate, std::string, int64_t, bool, std::vector<std::string>> value;
  std::string_view kind;
};

struct Text {
  std::string& (*at)(Settings&);
  Result<> (*check)(std::string_view value);
};
struct TextList {
  std::vector<std::string>& (*at)(Settings&);
  Result<> (*check)(std::string_view entry);
  std::string_view example;  // for the message of a wrong type
};
struct Duration {
  std::chrono::nanoseconds& (*at)(Settings&);
  std::chrono::nanoseconds min;
  std::chrono::nanoseconds max;
  bool zero_allowed = false;  // no limit
};
struct Size {
  uint64_t& (*at)(Settings&);
  uint64_t min;
  uint64_t max;
  bool zero_allowed = false;  // no limit
};
struct Count {
  uint64_t (*get)(const Settings&);
  void (*set)(Settings&, uint64_t);
  uint64_t min;
  uint64_t max;
};

struct Flag {
  bool& (*at)(Settings&);
};

struct Key {
  std::string_view section;
  std::string_view name;
  std::variant<Text, TextList, Duration, Size, Count, Flag> slot;
  std::string_view doc;     // one line
  std::string_view sample;  // shown in the sample where the default differs between nodes
};

std::span<const Key> Schema();

std::string FullName(const Key& key);  // "incident.quiet_after"
// The error's text goes on after the key's name: "must be ...".
Result<> SetValue(const Key& key, const RawValue& raw, Settings& settings);
std::string ValueAsToml(const Key& key, const Settings& settings);

}  // namespace ffdc::config
