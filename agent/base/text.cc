// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace ffdc {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

// By hand: the words of /proc are short, and at 1 Hz a search for each costs more than the walk.
std::string_view NextWord(std::string_view& text) {
  const auto word = std::find_if_not(text.begin(), text.end(), IsBlank);
  const auto end = std::find_if(word, text.end(), IsBlank);
  const auto start = static_cast<size_t>(word - text.begin());
  const auto size = static_cast<size_t>(end - word);
  const std::string_view found = text.substr(start, size);
  text.remove_prefix(start + size);
  return found;
}

std::string_view NextLine(std::string_view& text) {
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view BehindTaskName(std::string_view stat) {
  const size_t name_end = stat.rfind(')');
  return name_end == std::string_view::npos ? std::string_view() : Trim(stat.substr(name_end + 1));
}

std::string SecondsText(uint64_t ns) {
  char text[32];
  (void)snprintf(text, sizeof text, "%.1f", static_cast<double>(ns) / 1e9);
  return text;
}

std::string UndoHexEscapes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x';
    const auto byte = escaped ? ParseNumber<uint8_t>(text.substr(i + 2, 2), 16) : std::nullopt;
    bytes += byte ? static_cast<char>(*byte) : text[i];
    if (byte) i += 3;
  }
  return bytes;
}

}  // namespace ffdc
