// SPDX-License-Identifier: Apache-2.0
// Text for files that people read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ffdc {

// "4.0 KiB", "931.5 GiB".
std::string HumanBytes(uint64_t bytes);

// `text` and blanks up to `width` columns, and always one blank at the end.
std::string Column(std::string_view text, size_t width);

}  // namespace ffdc
