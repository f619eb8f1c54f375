// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ffdc::ctl {

// [control] socket of the configuration at `config_path`, or the default where
// that says nothing that can be read.
std::string SocketOf(const std::string& config_path);

}  // namespace ffdc::ctl
