// SPDX-License-Identifier: Apache-2.0
// One incident as a tar (pax) stream.
#pragma once

#include "store/copies.h"
#include "store/timeline.h"

namespace ffdc {

// What all of them tell, in one order. Reads each archive up to its kernel log: open the copies once more
// for Pull.
Timeline TimelineOf(const IncidentCopies& copies);

// <id>/{incident.json,timeline.txt,timeline.jsonl}, <id>/<node>/{manifest.json,capture.tar.zst[.cms]} for
// every node, into fd (a pipe).
Result<> Pull(const std::string& incident_id, const IncidentCopies& copies, Timeline timeline, int fd);

}  // namespace ffdc
