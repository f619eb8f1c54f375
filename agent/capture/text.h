// SPDX-License-Identifier: Apache-2.0
// Text from the kernel and from processes, made fit for files that people and
// JSON parsers read.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

// Valid UTF-8 whatever came in: bytes that are none become the text "\xNN".
std::string Utf8Text(std::string_view bytes);
// As Utf8Text, and control characters but the tab also become "\xNN": one line,
// and nothing that a terminal obeys.
std::string PlainText(std::string_view bytes);

// The whole of `text` as a number.
template <class T>
std::optional<T> ParseNumber(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Cuts the next run of non-blanks off the front of `text`; empty at its end.
std::string_view NextWord(std::string_view& text);
// Cuts the next line off the front of `text`, without its newline.
std::string_view NextLine(std::string_view& text);
std::string_view Trim(std::string_view text);

// "4.0 KiB", "931.5 GiB".
std::string HumanBytes(uint64_t bytes);

// `text` and blanks up to `width` columns, and always one blank at the end.
std::string Column(std::string_view text, size_t width);

}  // namespace ffdc
