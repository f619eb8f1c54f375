// SPDX-License-Identifier: Apache-2.0
// A copy that goes on where a former try ended. Blocks: in workers only.
#pragma once

#include <filesystem>

#include "store/driver.h"

namespace ffdc {

// What `to` has already is compared with `from`, and cut where it differs. Returns when all of it is durable.
Result<> ResumeCopy(const std::filesystem::path& from, const std::filesystem::path& to, Transfer& transfer);

}  // namespace ffdc
