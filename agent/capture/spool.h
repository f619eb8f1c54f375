// SPDX-License-Identifier: Apache-2.0
// The spool as the seal sees it: <spool>/tmp/<incident-id>.<random>/ while a
// capture is written, <spool>/sealed/<incident-id>/ once it is whole. Blocks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// The manifest of a sealed capture; none if there is none or it is damaged.
// Error: the spool cannot tell.
Result<std::optional<v1::Manifest>> FindSealed(const std::string& dir, const std::string& incident_id);

// The names in <spool>/tmp that begin with `prefix`.
Result<std::vector<std::string>> ListTmp(const std::string& spool_dir, const std::string& prefix);

// Removes what crashed seals left in <spool>/tmp.
Result<> CleanSpool(const v1::SpoolCleanArgs& args);

}  // namespace ffdc
