// SPDX-License-Identifier: Apache-2.0
// Cuts text of the kernel and of processes into lines, words and numbers.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace ffdc {

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
// Whether `text` has one of the words, anywhere.
inline bool HasAny(std::string_view text, const auto& words) {
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// Lower-case, and exactly so many digits.
bool IsHex(std::string_view text, size_t digits);

// Of /proc/<pid>/stat what stands behind the name, which may hold anything: the state and on. Empty: it is
// something else.
std::string_view BehindTaskName(std::string_view stat);

// What stands in a field of fixed size, up to its first NUL.
template <size_t kSize>
std::string FixedText(const char (&text)[kSize]) {
  return {text, std::find(text, text + kSize, '\0')};
}

// "1.5": seconds, to a tenth.
std::string SecondsText(uint64_t ns);

// "\xNN", as the kernel's log and systemd's unit names have it, as the byte it stands for.
std::string UndoHexEscapes(std::string_view text);

}  // namespace ffdc
