// SPDX-License-Identifier: Apache-2.0
#include "ctl/socket_path.h"

#include "base/fs.h"

// As in the agent's own reading of the file: toml++ 3.3 asserts what only holds in valid files.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace ffdc::ctl {

std::string SocketOf(const std::string& config_path) {
  const auto text = ReadFile(config_path);
  if (!text) return std::string(kDefaultSocket);
  try {
    const toml::table root = toml::parse(*text, config_path);
    return root["control"]["socket"].value_or(std::string(kDefaultSocket));
  } catch (const toml::parse_error&) {
    return std::string(kDefaultSocket);  // `ffdcd --check-config` tells what is wrong with the file
  }
}

}  // namespace ffdc::ctl
