// SPDX-License-Identifier: Apache-2.0
// Is this the store that is meant, and not the empty folder below a mount that is missing, or another
// store in its place? Blocks: in workers only.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"
#include "store/driver.h"

namespace ffdc {

enum class StoreUse {
  kRead,   // one that was never seen and has no marker holds nothing
  kWrite,  // it is initialised, where the agent may do that by itself
};

// Opens the store of `args` and compares its marker with args.known_store_id(). marker_id gets what it is.
Result<std::unique_ptr<StoreDriver>> OpenKnownStore(const v1::StoreArgs& args, StoreUse use,
                                                    std::string* marker_id = nullptr);
// A person says that this is the one: takes its marker, or gives it one.
Result<std::string> InitStore(const v1::StoreArgs& args);

// What <spool>/store.json says of the store of `args`; empty: this node never saw it.
Result<std::string> ReadKnownStore(const v1::StoreArgs& args);
// Writes args.known_store_id() there.
Result<> RememberStore(const v1::StoreArgs& args);

}  // namespace ffdc
