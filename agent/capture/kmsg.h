// SPDX-License-Identifier: Apache-2.0
// The kernel's log, read to its end and made fit for a person.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/kmsg.h"
#include "base/result.h"
#include "capture/collect_util.h"

namespace ffdc {

// "2026-11-23T06:12:00.123Z kern.err 12.345678 text [properties]\n"
std::string FormatKmsg(const KmsgRecord& record, const ClockMoment& clock);

struct KmsgEnd {
  uint64_t records = 0;
  uint64_t overwritten = 0;  // gone from the kernel's buffer before they could be read
  uint64_t malformed = 0;
  bool reached_now = false;  // false: the sink stopped it, or the log grew faster than it was read
};
// Reads fd (non-blocking, one record a read) from its position to the newest
// record; sink returns false to stop.
Result<KmsgEnd> ReadKmsg(int fd, const std::function<bool(const KmsgRecord&)>& sink);

Result<> CollectKernelLog(CollectContext& context, const KernelRoots& roots);

}  // namespace ffdc
