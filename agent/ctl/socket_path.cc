// SPDX-License-Identifier: Apache-2.0
#include "ctl/socket_path.h"

#include "base/paths.h"
#include "ctl/config_values.h"

namespace ffdc::ctl {

std::string SocketOf(const std::string& config_path) {
  // `ffdcd --check-config` tells what is wrong with the files.
  const auto values = ReadConfig(config_path);
  return values ? ValueOf(*values, "control.socket", kDefaultSocketPath) : kDefaultSocketPath;
}

}  // namespace ffdc::ctl
