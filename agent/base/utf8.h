// SPDX-License-Identifier: Apache-2.0
// UTF-8 in bytes that may be anything: names of devices, processes and mounts are
// the outside world's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ffdc {

// True for each byte of a sequence but its first.
inline bool IsUtf8Continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
// Length of the UTF-8 sequence that `bytes` starts with; 0: it starts with none.
size_t Utf8SequenceLength(std::string_view bytes);

// Valid UTF-8 whatever came in: bytes that are none become the text "\xNN", and so
// do the bytes of each character (a whole sequence) that `is_refused`.
std::string EscapeBytes(std::string_view bytes, bool (*is_refused)(std::string_view character));

// Valid UTF-8 whatever came in: bytes that are none become the text "\xNN".
std::string Utf8Text(std::string_view bytes);
// As Utf8Text, and control characters but the tab also become "\xNN": one line,
// and nothing that a terminal obeys.
std::string PlainText(std::string_view bytes);

}  // namespace ffdc
