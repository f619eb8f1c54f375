// SPDX-License-Identifier: Apache-2.0
// What several collectors need. Everything blocks; collectors run in workers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "capture/collector.h"

namespace ffdc {

// Where the kernel shows itself; other folders in tests.
struct KernelRoots {
  std::filesystem::path proc = "/proc";
  std::filesystem::path sys = "/sys";
  std::filesystem::path kmsg = "/dev/kmsg";
};

// Something this kernel does not offer: named in the manifest with count 0,
// since nothing that was there got lost.
void AddNote(CollectContext& context, std::string what, std::string detail);

// The clocks as they were read together at the freeze: a clock that was set since does
// not change what the files of a capture say. Now, if the job does not know.
ClockMoment JobClock(const v1::CaptureJob& job);

// Names in a folder, sorted; empty where it cannot be read.
std::vector<std::string> FolderEntries(const std::filesystem::path& path);

}  // namespace ffdc
