// SPDX-License-Identifier: Apache-2.0
// Text on a terminal: how wide it is, and how it is made to fit. What comes from
// the agent (device names, paths, labels) may hold anything, so all of it goes
// through Printable before it is shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ffdc::ctl {

inline constexpr size_t kPageWidth = 100;

// Control characters and broken UTF-8 become '?': no escape sequence reaches the terminal.
std::string Printable(std::string_view text);
// Columns that `text` takes: none for combining marks, two for wide characters.
size_t DisplayWidth(std::string_view text);
// At most `width` columns: what is too long loses its middle to "…".
std::string ShortenMiddle(std::string_view text, size_t width);
// Lines of at most `width` columns, broken at blanks where there are any.
std::vector<std::string> Wrap(std::string_view text, size_t width);

}  // namespace ffdc::ctl
