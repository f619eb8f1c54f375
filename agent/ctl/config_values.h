// SPDX-License-Identifier: Apache-2.0
// What the agent's configuration files say, without the agent: single texts, unchecked.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace ffdc::ctl {

struct ConfigValue {
  std::string text;
  std::string file;  // that set it last
};

// "cluster.db" -> its value; of later files it comes over that of those before.
using ConfigValues = std::map<std::string, ConfigValue>;

std::string ValueOf(const ConfigValues& values, const std::string& key, const std::string& fallback);
// These files. Fails at one that cannot be read, or is no TOML that the agent takes.
Result<ConfigValues> ReadConfigFiles(const std::vector<std::string>& paths);
// The file, where there is one, and its drop-ins (base/drop_ins.h).
Result<ConfigValues> ReadConfig(const std::string& config_path);

}  // namespace ffdc::ctl
