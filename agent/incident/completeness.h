// SPDX-License-Identifier: Apache-2.0
// Who captured an incident, who did not and why; and one incident out of what
// several nodes know of it.
#pragma once

#include <map>
#include <string>

#include "ffdc/v1/incident.pb.h"

namespace ffdc {

bool Captured(const v1::Capture& capture);  // sealed or stored
// Whether `told` may replace `known`: reports come late, twice and in another order.
bool IsNewer(const v1::Capture& told, const v1::Capture& known);
// From the incident's captures.
void SettleCompleteness(v1::Incident& incident);

// copies: by the node that has it; not empty. The origin's is the frame; of its own capture and its own
// events each node knows best.
v1::Incident MergeCopies(const std::map<std::string, v1::Incident>& copies);

}  // namespace ffdc
