// SPDX-License-Identifier: Apache-2.0
// What single values of the configuration must look like. An error's text goes
// on after the key's name: "must be ...".
#pragma once

#include <string_view>

#include "base/result.h"

namespace ffdc::config {

Result<> CheckName(std::string_view value);
Result<> CheckPath(std::string_view value);
Result<> CheckSocketPath(std::string_view value);
// Of the kinds of store there are: a new driver adds its own (docs/extending.md).
Result<> CheckStoreUrl(std::string_view value);
Result<> CheckLogLevel(std::string_view value);
Result<> CheckDeviceEntry(std::string_view value);

}  // namespace ffdc::config
