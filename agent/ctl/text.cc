// SPDX-License-Identifier: Apache-2.0
#include "ctl/text.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace ffdc::ctl {
namespace {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 1;
  bool valid = false;
};

CodePoint Decode(std::string_view text) {
  const size_t bytes = Utf8SequenceLength(text);
  if (bytes == 0) return {};
  const auto lead = static_cast<unsigned char>(text[0]);
  auto value = static_cast<char32_t>(bytes == 1 ? lead : lead & (0x7f >> bytes));
  for (const char next : text.substr(1, bytes - 1))
    value = value << 6 | (static_cast<unsigned char>(next) & 0x3fu);
  return {value, bytes, true};
}

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool In(const std::array<Range, N>& ranges, char32_t value) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [value](const Range& range) { return value >= range.first && value <= range.last; });
}

size_t Width(char32_t value) {
  constexpr std::array<Range, 6> kNoWidth{{{0x300, 0x36f},
                                           {0x200b, 0x200f},
                                           {0x202a, 0x202e},
                                           {0x20d0, 0x20ff},
                                           {0xfe00, 0xfe0f},
                                           {0xfeff, 0xfeff}}};
  constexpr std::array<Range, 8> kWide{{{0x1100, 0x115f},
                                        {0x2e80, 0xa4cf},
                                        {0xac00, 0xd7a3},
                                        {0xf900, 0xfaff},
                                        {0xfe30, 0xfe6f},
                                        {0xff00, 0xff60},
                                        {0x1f300, 0x1f9ff},
                                        {0x20000, 0x3fffd}}};
  if (value < 0x300) return 1;
  if (In(kNoWidth, value)) return 0;
  return In(kWide, value) ? 2 : 1;
}

bool IsControl(char32_t value) {
  // C0, DEL, C1, and the marks that turn the direction of writing.
  return value < 0x20 || (value >= 0x7f && value < 0xa0) || (value >= 0x202a && value <= 0x202e) ||
         (value >= 0x2066 && value <= 0x2069);
}

// The longest start of `text` that fits into `width` columns.
std::string_view Start(std::string_view text, size_t width) {
  size_t used = 0;
  size_t bytes = 0;
  while (bytes < text.size()) {
    const CodePoint point = Decode(text.substr(bytes));
    const size_t next = point.valid ? Width(point.value) : 1;
    if (used + next > width) break;
    used += next;
    bytes += point.bytes;
  }
  return text.substr(0, bytes);
}

// The longest end of `text` that fits into `width` columns.
std::string_view End(std::string_view text, size_t width) {
  size_t surplus = DisplayWidth(text);
  size_t bytes = 0;
  while (bytes < text.size() && surplus > width) {
    const CodePoint point = Decode(text.substr(bytes));
    surplus -= point.valid ? Width(point.value) : 1;
    bytes += point.bytes;
  }
  return text.substr(bytes);
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    if (point.valid && !IsControl(point.value)) {
      shown += text.substr(0, point.bytes);
    } else {
      shown += '?';
    }
    text.remove_prefix(point.bytes);
  }
  return shown;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    width += point.valid ? Width(point.value) : 1;
    text.remove_prefix(point.bytes);
  }
  return width;
}

std::string ShortenMiddle(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return {};
  // Ends tell more than beginnings of paths and ids; an odd column goes to the beginning.
  const size_t kept = width - 1;
  return std::string(Start(text, kept - kept / 2)) + "…" + std::string(End(text, kept / 2));
}

std::vector<std::string> Wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  while (DisplayWidth(text) > width) {
    std::string_view line = Start(text, width);
    if (line.empty()) break;  // a character wider than the line
    // A blank right behind the line is as good a break as one inside.
    const size_t blank = text.substr(0, line.size() + 1).rfind(' ');
    if (blank != std::string_view::npos && blank > 0) line = text.substr(0, blank);
    lines.emplace_back(line);
    text.remove_prefix(line.size());
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

}  // namespace ffdc::ctl
