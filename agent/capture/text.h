// SPDX-License-Identifier: Apache-2.0
// Text from the kernel and from processes, made fit for files that people and
// JSON parsers read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ffdc {

// Valid UTF-8 whatever came in: bytes that are none become the text "\xNN".
std::string Utf8Text(std::string_view bytes);
// As Utf8Text, and control characters but the tab also become "\xNN": one line,
// and nothing that a terminal obeys.
std::string PlainText(std::string_view bytes);

// "4.0 KiB", "931.5 GiB".
std::string HumanBytes(uint64_t bytes);

// `text` and blanks up to `width` columns, and always one blank at the end.
std::string Column(std::string_view text, size_t width);

}  // namespace ffdc
