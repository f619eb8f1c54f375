// SPDX-License-Identifier: Apache-2.0
#include "base/toml_screen.h"

#include <array>
#include <cstdio>

namespace ffdc {
namespace {

constexpr char kComment = '#';

std::string Hex(unsigned char c) {
  std::array<char, 8> text{};
  snprintf(text.data(), text.size(), "0x%02x", c);
  return text.data();
}

bool IsControl(unsigned char c) { return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f; }

}  // namespace

std::optional<Unreadable> FindUnreadable(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  unsigned line = 1;
  char inside = 0;  // the opening quote, or kComment
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsControl(static_cast<unsigned char>(c))) {
      return Unreadable{
          line, "control character " + Hex(static_cast<unsigned char>(c)) + ": a configuration is text"};
    }
    if (static_cast<unsigned char>(c) >= 0x80 && inside != kComment) {
      return Unreadable{line, "a character other than ASCII: only comments may hold it"};
    }
    if (c == '\n') {
      ++line;
      inside = 0;
    } else if (inside == 0) {
      if ((c == '"' || c == '\'') && text.substr(i, 3) == std::string(3, c)) {
        return Unreadable{line, "a multi-line string: no key needs one"};
      }
      if (c == '"' || c == '\'' || c == kComment) inside = c;
    } else if (inside == '"' && (text.substr(i, 2) == "\\\"" || text.substr(i, 2) == "\\\\")) {
      ++i;
    } else if (inside != kComment && c == inside) {
      inside = 0;
    }
  }
  return std::nullopt;
}

}  // namespace ffdc
