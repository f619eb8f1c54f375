// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"
#include "store/driver.h"

namespace ffdc {

// Copies every incident of args.store_url() to args.to_store_url(), verified, and keeps the source. What
// is there already stays, so that it can be repeated. Progress goes to fd, as in store/jobs.h.
Result<> MigrateStore(const v1::StoreArgs& args, int fd);
// The same between two that are open.
Result<> MigrateBetween(StoreDriver& from, StoreDriver& to, const v1::StoreArgs& args, int fd);

}  // namespace ffdc
