// SPDX-License-Identifier: Apache-2.0
// The kernel's log as /dev/kmsg gives it: one record a read
// (Documentation/ABI/testing/dev-kmsg).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "capture/collect_util.h"

namespace ffdc {

struct KmsgRecord {
  uint32_t priority = 0;  // facility << 3 | level
  uint64_t sequence = 0;
  uint64_t time_us = 0;
  std::string text;        // escapes undone, valid UTF-8; a newline in it starts an indented line
  std::string properties;  // "SUBSYSTEM=block DEVICE=b8:0", "caller=T12"; empty: none
};

// Nothing: no record. The bytes are the kernel's, some of them a process's (writes to /dev/kmsg).
std::optional<KmsgRecord> ParseKmsg(std::string_view bytes);

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
