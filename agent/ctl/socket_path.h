// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace ffdc::ctl {

inline constexpr std::string_view kConfigPath = "/etc/ffdc/ffdc.toml";
inline constexpr std::string_view kDefaultSocket = "/run/ffdc/ffdcd.sock";

// [control] socket of the configuration at `config_path`, or the default where
// that says nothing that can be read.
std::string SocketOf(const std::string& config_path);

}  // namespace ffdc::ctl
