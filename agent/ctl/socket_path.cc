// SPDX-License-Identifier: Apache-2.0
#include "ctl/socket_path.h"

#include "base/fs.h"
#include "base/paths.h"
#include "base/toml_parser.h"
#include "base/toml_screen.h"

namespace ffdc::ctl {

std::string SocketOf(const std::string& config_path) {
  const auto text = ReadFile(config_path);
  // What the agent refuses before the TOML library sees it must not reach the library here.
  if (!text || FindUnreadable(*text)) return kDefaultSocketPath;
  try {
    const toml::table root = toml::parse(*text, config_path);
    return root["control"]["socket"].value_or(std::string(kDefaultSocketPath));
  } catch (const toml::parse_error&) {
    return kDefaultSocketPath;  // `ffdcd --check-config` tells what is wrong with the file
  }
}

}  // namespace ffdc::ctl
