// SPDX-License-Identifier: Apache-2.0
// Seals a capture: staging folder -> <spool>/sealed/<incident-id>/ with
// incident.json, manifest.json and the archive. All of it is fsynced in
// <spool>/tmp before one rename publishes it; the staging folder goes last. May be
// repeated at any time, also by a later life of the agent, and then finishes what
// was begun: never a half capture, never two. Blocks; runs in a worker.
#pragma once

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

Result<v1::SealedCapture> SealCapture(const v1::SealArgs& args);

}  // namespace ffdc
