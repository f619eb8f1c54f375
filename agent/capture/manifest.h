// SPDX-License-Identifier: Apache-2.0
// The manifest of a capture from what its staging folder holds: who collected
// what, how each collector ended, what was lost.
#pragma once

#include <string>
#include <vector>

#include "capture/staging.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// Everything but checksums, sizes and the archive. A collector of the job without
// a status was interrupted. `found`: the files there are.
v1::Manifest AssembleManifest(const v1::CaptureJob& job, const StagedStatuses& statuses,
                              std::vector<std::string> found);

// Sums each collector's bytes from the files' sizes.
void CountCollectorBytes(v1::Manifest* manifest);

}  // namespace ffdc
