// SPDX-License-Identifier: Apache-2.0
// What is true of this host while the agent runs, read once at the start, and
// the locks that keep a second agent off its folders.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

v1::Versions ReadVersions();
v1::ClockReading ReadClocks();

// Takes <folder>/lock for as long as the Fd lives, and writes `owner` into it.
// Refuses with the owner's own words if another agent has it. what: "spool".
Result<Fd> LockFolder(const std::string& folder, const std::string& what, const std::string& owner);

}  // namespace ffdc
