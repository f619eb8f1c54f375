// SPDX-License-Identifier: Apache-2.0
#include "capture/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/utf8.h"

namespace ffdc {

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
