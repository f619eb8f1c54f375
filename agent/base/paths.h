// SPDX-License-Identifier: Apache-2.0
// Where ffdcd and ffdcctl look when nobody tells them.
#pragma once

namespace ffdc {

inline constexpr char kDefaultConfigPath[] = "/etc/ffdc/ffdc.toml";
inline constexpr char kDefaultSocketPath[] = "/run/ffdc/ffdcd.sock";

}  // namespace ffdc
