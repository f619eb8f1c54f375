// SPDX-License-Identifier: Apache-2.0
#include "capture/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace ffdc {
namespace {

constexpr std::string_view kBlanks = " \t\n\r";

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

void AppendEscaped(std::string& text, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

std::string Sanitize(std::string_view bytes, bool escape_controls) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = Utf8SequenceLength(bytes);
    const auto byte = static_cast<unsigned char>(bytes[0]);
    const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
    if (length == 0 || (escape_controls && control)) {
      AppendEscaped(text, bytes[0]);
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return text;
}

}  // namespace

// RFC 3629, section 4: no overlong forms, no surrogates, nothing past U+10FFFF.
size_t Utf8SequenceLength(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  const auto second = static_cast<unsigned char>(bytes[1]);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
      (lead == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return std::all_of(bytes.begin() + 1, bytes.begin() + static_cast<ptrdiff_t>(length), IsContinuation)
             ? length
             : 0;
}

std::string Utf8Text(std::string_view bytes) { return Sanitize(bytes, false); }

std::string PlainText(std::string_view bytes) { return Sanitize(bytes, true); }

std::string_view NextWord(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

std::string_view NextLine(std::string_view& text) {
  const size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line;
}

std::string_view Trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string Column(std::string_view text, size_t width) {
  std::string cell(text);
  // A multi-byte character is one column wide (good enough for names).
  const auto columns =
      static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
  cell.append(columns < width ? width - columns : 0, ' ');
  cell += ' ';
  return cell;
}

}  // namespace ffdc
