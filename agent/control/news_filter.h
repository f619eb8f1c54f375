// SPDX-License-Identifier: Apache-2.0
// Which of the cluster's news a client asked for.
#pragma once

#include "base/result.h"
#include "ffdc/v1/control.pb.h"

namespace ffdc::control {

// EINVAL: patterns that are too many, too long or empty.
Result<> CheckFilter(const v1::WatchClusterRequest& wanted);
// What is not of an event or an incident (a node that is not heard) is always wanted.
bool IsWanted(const v1::WatchClusterRequest& wanted, const v1::News& news);

}  // namespace ffdc::control
