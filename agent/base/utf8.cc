// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <algorithm>

namespace ffdc {
namespace {

void AppendEscaped(std::string& text, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
}

bool IsControl(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
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
  return std::all_of(bytes.begin() + 1, bytes.begin() + static_cast<ptrdiff_t>(length), IsUtf8Continuation)
             ? length
             : 0;
}

std::string EscapeBytes(std::string_view bytes, bool (*is_refused)(std::string_view character)) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = Utf8SequenceLength(bytes);
    const std::string_view piece = bytes.substr(0, std::max<size_t>(length, 1));
    if (length == 0 || is_refused(piece)) {
      AppendEscaped(text, piece);
    } else {
      text += piece;
    }
    bytes.remove_prefix(piece.size());
  }
  return text;
}

std::string Utf8Text(std::string_view bytes) {
  return EscapeBytes(bytes, [](std::string_view) { return false; });
}

std::string PlainText(std::string_view bytes) { return EscapeBytes(bytes, IsControl); }

}  // namespace ffdc
