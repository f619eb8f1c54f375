// SPDX-License-Identifier: Apache-2.0
// Shell patterns over names: kinds ("io.*"), subjects ("wwid:naa.5000*").
#pragma once

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace ffdc {

// Whether text is one of them, or one of them fits it (fnmatch(3), no flags: "*" fits "." and "/" as well).
template <class Patterns>
bool MatchesAny(const Patterns& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return pattern == text || fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
  });
}

}  // namespace ffdc
