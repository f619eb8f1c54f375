// SPDX-License-Identifier: Apache-2.0
// "did you mean ...?"
#pragma once

#include <span>
#include <string_view>

namespace ffdc {

// Insertions, deletions, replacements and swaps of neighbours that turn a into b.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate most like `name`; empty if none is like it (over a third of the letters differ).
std::string_view Nearest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace ffdc
