// SPDX-License-Identifier: Apache-2.0
// A worker's deadline (base/launcher.h) counts from its start, or from when it last got on.
#pragma once

namespace ffdc {

// For a task: it gets on, and its deadline counts from now. What a worker does may take as long as it
// likes while it reports progress; one that stands is killed all the same. Cheap; nothing outside a worker.
void ReportProgress();

}  // namespace ffdc
