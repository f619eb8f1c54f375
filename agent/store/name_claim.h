// SPDX-License-Identifier: Apache-2.0
// Two agents of one name: each would take the other's captures for its own. Blocks: in workers only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

struct NameClaim {
  std::string other;  // who else uses the name, ready to show; empty: nobody
  std::string text;   // to be written; empty: nothing is
};
// That the agent of this worker uses its node's name, for the next minutes. text: what was written last, by
// whomever; empty: nothing.
Result<NameClaim> RenewClaim(std::string_view text, const std::string& node);

// The same by a file. Returns who else does, ready to show; empty: nobody. temporary: a name of the caller's
// own on the same filesystem.
Result<std::string> ClaimName(const std::filesystem::path& file, const std::filesystem::path& temporary,
                              const std::string& node);

}  // namespace ffdc
