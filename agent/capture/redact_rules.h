// SPDX-License-Identifier: Apache-2.0
// What is taken out of the text of a capture: the file of rules, TOML text -> checked rules.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace ffdc {

struct RedactPattern {
  std::string name;
  std::string regex;
  // What its first group that took part matched is taken out; without groups all of it.
  std::shared_ptr<const re2::RE2> compiled;
};

// Names that become the same alias on every node that has the same secret.
struct AliasRules {
  std::string secret;
  bool addresses = false;
  std::set<std::string, std::less<>> hosts;    // lower case
  std::set<std::string, std::less<>> domains;  // lower case: a name below one of them is a host's
};

struct RedactRules {
  std::vector<RedactPattern> patterns;
  bool private_keys = false;  // in PEM, over several lines
  AliasRules alias;
  std::vector<std::string> names;  // of all that is on, for the manifest
};

// origin: the file's name, for messages "FILE:LINE: ...". The first error is told.
Result<RedactRules> ParseRedactRules(std::string_view toml_text, const std::string& origin);

}  // namespace ffdc
