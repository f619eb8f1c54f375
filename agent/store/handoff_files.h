// SPDX-License-Identifier: Apache-2.0
// A sealed capture on its way to a peer's spool, part by part: reading it there, and
// writing it here. Blocks; runs in a worker.
#pragma once

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// The descriptions of the capture `incident_id` as they lie in the spool, and the archive's size.
Result<v1::StoreReply> DescribeSealed(const v1::StoreArgs& args);
// Its archive from offset_bytes, at most a part.
Result<v1::StoreReply> ReadSealed(const v1::StoreArgs& args);

// Makes room for the capture of `handed_node` that the descriptions tell of. The reply has how much of
// its archive is here, and its manifest in `handed` if that is all of it. Code EINVAL: they make no sense.
Result<v1::StoreReply> BeginHanded(const v1::StoreArgs& args);
// Adds `data` where the archive ends; a part for another place is left out, and the reply says which is
// wanted. One that is complete but not what its manifest says begins anew.
Result<v1::StoreReply> AddToHanded(const v1::StoreArgs& args);
// Of a peer that does not come back to it.
Result<> DropHanded(const v1::StoreArgs& args);

}  // namespace ffdc
