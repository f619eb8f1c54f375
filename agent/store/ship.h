// SPDX-License-Identifier: Apache-2.0
// One capture from the spool into the store. May be repeated at any time, also by
// a later life of the agent, and then finishes what was begun. Blocks; runs in a worker.
#pragma once

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// An error is the store's (or the spool's disk), and another capture would meet it as well. What
// is wrong with this capture alone stands in the reply: capture_problem, damaged, not_found.
Result<v1::StoreReply> Ship(const v1::StoreArgs& args);

// incident.json of an incident in the store; none there: nothing to do.
Result<> RewriteIncident(const v1::StoreArgs& args);

}  // namespace ffdc
