// SPDX-License-Identifier: Apache-2.0
// One incident as a tar (pax) stream.
#pragma once

#include "store/copies.h"

namespace ffdc {

// <id>/incident.json, <id>/<node>/{manifest.json,capture.tar.zst[.cms]} for every node, into fd (a pipe).
Result<> Pull(const std::string& incident_id, const IncidentCopies& copies, int fd);

}  // namespace ffdc
