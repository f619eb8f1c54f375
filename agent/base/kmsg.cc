// SPDX-License-Identifier: Apache-2.0
#include "base/kmsg.h"

#include <array>

#include "base/text.h"
#include "base/utf8.h"

namespace ffdc {
namespace {

// A newline inside a record starts a line with an indent that no record starts with.
std::string Printable(std::string_view escaped) {
  // The kernel escapes bytes outside printable ASCII, and the backslash.
  const std::string bytes = UndoHexEscapes(escaped);
  std::string_view rest = bytes;
  std::string text = PlainText(NextLine(rest));
  while (!rest.empty()) text += "\n    " + PlainText(NextLine(rest));
  return text;
}

void AddProperty(std::string& properties, std::string_view property) {
  if (property.empty()) return;
  if (!properties.empty()) properties += ' ';
  properties += Printable(property);
}

// "6,339,5140900,-,caller=T1": what may follow the flag is "key=value".
bool ParsePrefix(std::string_view prefix, KmsgRecord& record) {
  std::array<std::string_view, 4> fields;
  for (std::string_view& field : fields) {
    const size_t comma = prefix.find(',');
    field = prefix.substr(0, comma);
    prefix.remove_prefix(comma == std::string_view::npos ? prefix.size() : comma + 1);
  }
  const auto priority = ParseNumber<uint32_t>(fields[0]);
  const auto sequence = ParseNumber<uint64_t>(fields[1]);
  const auto time_us = ParseNumber<uint64_t>(fields[2]);
  if (!priority || !sequence || !time_us || fields[3].empty()) return false;
  if (*time_us > UINT64_MAX / 1000) return false;
  record.priority = *priority;
  record.sequence = *sequence;
  record.time_us = *time_us;
  while (!prefix.empty()) {
    const size_t comma = prefix.find(',');
    const std::string_view extra = prefix.substr(0, comma);
    if (extra.find('=') != std::string_view::npos) AddProperty(record.properties, extra);
    prefix.remove_prefix(comma == std::string_view::npos ? prefix.size() : comma + 1);
  }
  return true;
}

}  // namespace

std::optional<KmsgRecord> ParseKmsg(std::string_view bytes) {
  const size_t semicolon = bytes.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  KmsgRecord record;
  if (!ParsePrefix(bytes.substr(0, semicolon), record)) return std::nullopt;
  bytes.remove_prefix(semicolon + 1);
  size_t newline = bytes.find('\n');
  record.text = Printable(bytes.substr(0, newline));
  // Continuation lines, each after a blank: the dictionary, "KEY=value".
  while (newline != std::string_view::npos) {
    bytes.remove_prefix(newline + 1);
    newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline);
    if (!line.empty() && line.front() == ' ') AddProperty(record.properties, line.substr(1));
  }
  return record;
}

}  // namespace ffdc
