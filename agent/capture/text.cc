// SPDX-License-Identifier: Apache-2.0
#include "capture/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/utf8.h"

namespace ffdc {
namespace {

constexpr std::string_view kBlanks = " \t\n\r";

bool IsControl(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

}  // namespace

std::string Utf8Text(std::string_view bytes) {
  return EscapeBytes(bytes, [](std::string_view) { return false; });
}

std::string PlainText(std::string_view bytes) { return EscapeBytes(bytes, IsControl); }

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
  const auto columns = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsUtf8Continuation(c); }));
  cell.append(columns < width ? width - columns : 0, ' ');
  cell += ' ';
  return cell;
}

}  // namespace ffdc
