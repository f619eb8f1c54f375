// SPDX-License-Identifier: Apache-2.0
// Applies the limits of the store, and clears half uploads. Safe when several nodes do it. Blocks: in
// workers only.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"
#include "store/driver.h"

namespace ffdc {

// removed: called after each removal, with which nothing is forgotten should this worker not come to its end.
Result<> Retain(StoreDriver& store, const v1::StoreArgs& args, size_t max_removals, v1::StoreReply* reply,
                const std::function<Result<>(const v1::Removal&)>& removed);

}  // namespace ffdc
