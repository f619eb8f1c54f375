// SPDX-License-Identifier: Apache-2.0
// For the launcher process (base/launcher.h): what the store's workers will need.
#pragma once

#include <string>

namespace ffdc {

// Loads the store's module and keeps it in memory, so that no worker waits for it on a disk that hangs.
// Starts no thread. What goes wrong, the workers tell.
void PreloadStore(const std::string& store_url);

}  // namespace ffdc
