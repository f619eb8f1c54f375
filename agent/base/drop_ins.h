// SPDX-License-Identifier: Apache-2.0
// A configuration is one file and those in the folder beside it: /etc/ffdc/ffdc.toml, then
// /etc/ffdc/ffdc.d/*.toml in the order of their names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ffdc {

// "/etc/ffdc/ffdc.d" of "/etc/ffdc/ffdc.toml".
std::string DropInFolder(const std::string& config_path);
// The paths of the files that count, in their order; none if there is no such folder. Blocks on the disk.
Result<std::vector<std::string>> ListDropIns(const std::string& config_path);

}  // namespace ffdc
