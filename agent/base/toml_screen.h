// SPDX-License-Identifier: Apache-2.0
// A look at the text before the TOML library sees it: toml++ 3.3 runs into
// undefined behaviour on characters other than ASCII.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

struct Unreadable {
  unsigned line;
  std::string why;
};

// The first character that no configuration holds: a control character, anything but ASCII outside of
// comments, or the start of a multi-line string.
std::optional<Unreadable> FindUnreadable(std::string_view text);

}  // namespace ffdc
