// SPDX-License-Identifier: Apache-2.0
// Two agents of one name: each would take the other's captures for its own. Blocks: in workers only.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace ffdc {

// Notes in `file`, for the next minutes, that the agent of this worker uses its node's name. Returns who
// else does, ready to show; empty: nobody. temporary: a name of the caller's own on the same filesystem.
Result<std::string> ClaimName(const std::filesystem::path& file, const std::filesystem::path& temporary,
                              const std::string& node);

}  // namespace ffdc
