// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "store/driver.h"

namespace ffdc {

std::unique_ptr<StoreDriver> MakeDirDriver(const std::string& root, const std::string& cluster,
                                           const std::string& node);

}  // namespace ffdc
