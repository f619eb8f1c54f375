// SPDX-License-Identifier: Apache-2.0
// kernel_log: the kernel's ring buffer, from the oldest record it still has.
#include <fcntl.h>

#include <chrono>

#include "base/fd.h"
#include "capture/collector.h"
#include "capture/kmsg.h"

namespace ffdc {
namespace {

constexpr std::string_view kHeader =
    "# Kernel log: wall clock (UTC), facility.level, seconds of the kernel's log clock, text, [properties].\n"
    "# The log clock is not CLOCK_MONOTONIC: it may be some milliseconds off it, and wall times with it;\n"
    "# after a suspend they are off by as long as that took.\n";
// The log goes on growing between the two passes of a capture that is cut.
constexpr uint64_t kGrowthBytes = 16u << 10;

Result<Fd> OpenKmsg(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    return FailErrno("cannot open the kernel log " + path.string() + " (needs CAP_SYSLOG)");
  }
  return fd;
}

// How many bytes of the oldest lines must go for the newest to fit. Reads the log
// once, keeping nothing.
Result<uint64_t> BytesTooMany(const KernelRoots& roots, const ClockMoment& clock, uint64_t max_bytes) {
  FFDC_ASSIGN(const Fd fd, OpenKmsg(roots.kmsg));
  uint64_t total = kHeader.size();
  auto end = ReadKmsg(fd.get(), [&](const KmsgRecord& record) {
    total += FormatKmsg(record, clock).size();
    return true;
  });
  if (!end) return Unexpected(end.error());
  if (total <= max_bytes) return uint64_t{0};
  return total - max_bytes + std::min(kGrowthBytes, max_bytes / 8);
}

void ReportLosses(CollectContext& context, const KmsgEnd& end, uint64_t cut) {
  if (end.overwritten > 0) {
    context.AddLoss(
        "kernel_log.overwritten", end.overwritten,
        "records were overwritten in the kernel's buffer while it was read (boot with log_buf_len=4M)");
  }
  if (end.malformed > 0) {
    context.AddLoss("kernel_log.malformed", end.malformed, "records that could not be read as such");
  }
  if (cut > 0) {
    context.AddLoss("kernel_log.cut", cut,
                    "older records left out: the byte limit of a collector keeps the newest "
                    "(capture.collector_max_bytes)");
  }
}

Result<> CollectorKernelLog(CollectContext& context) { return CollectKernelLog(context, {}); }
FFDC_REGISTER_COLLECTOR("kernel_log", std::chrono::seconds(5), CollectorKernelLog);

}  // namespace

Result<> CollectKernelLog(CollectContext& context, const KernelRoots& roots) {
  const ClockMoment clock = JobClock(context.job());
  FFDC_ASSIGN(uint64_t skip_bytes, BytesTooMany(roots, clock, context.job().collector_max_bytes()));
  FFDC_ASSIGN(const Fd fd, OpenKmsg(roots.kmsg));
  FFDC_ASSIGN(CaptureFile * file, context.Create("kernel.log"));
  file->Write(kHeader);
  uint64_t cut = 0;
  bool full = false;
  auto end = ReadKmsg(fd.get(), [&](const KmsgRecord& record) {
    const std::string line = FormatKmsg(record, clock);
    if (skip_bytes > 0) {
      skip_bytes -= std::min<uint64_t>(skip_bytes, line.size());
      ++cut;
      return true;
    }
    full = !file->Write(line);
    return !full;
  });
  if (!end) return Unexpected(end.error());
  ReportLosses(context, *end, cut);
  if (full || !end->reached_now) {
    context.AddLoss(
        "kernel_log.unfinished", 1,
        full ? "the newest records did not fit into the byte limit of a collector"
             : "the kernel logged faster than its log could be read: the newest records are missing");
  }
  return {};
}

}  // namespace ffdc
