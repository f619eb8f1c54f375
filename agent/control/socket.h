// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace ffdc::control {

// Makes `path` free for a listener: creates its folder, removes the socket file
// that a dead agent left. An error says why nobody can listen there.
Result<> PrepareSocketPath(const std::string& path);

}  // namespace ffdc::control
