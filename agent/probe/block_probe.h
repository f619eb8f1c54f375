// SPDX-License-Identifier: Apache-2.0
// The block layer's probes: loads bpf/block_io.bpf.c and bpf/block_bio.bpf.c,
// turns failures into records, and holds the per-I/O flight recorder.
// All calls from the agent's loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ffdc/abi/block.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

struct BlockProbeOptions {
  uint64_t io_history_bytes = 8u << 20;                  // both halves, all CPUs
  std::chrono::nanoseconds quiet_after{60'000'000'000};  // a key that failed after so long is FIRST again
  uint32_t records_per_s = 10;                           // of one (device, op, status), after the first
  uint32_t records_burst = 10;
  uint64_t histogram_bytes = 8u << 20;  // bounds the number of devices with a histogram
};

// A piece of I/O history that nothing writes to any more: struct ffdc_io_record[]
// in a sealed memfd, unsorted (runs of one CPU each, in time order).
struct HistorySegment {
  Fd memfd;
  uint64_t records = 0;
};

struct FrozenHistory {
  std::vector<std::shared_ptr<const HistorySegment>> segments;  // oldest first, at most 7
  uint64_t frozen_mono_ns = 0;                                  // when nothing was written to it any more
  uint64_t records = 0;
};

// How often one (device, op, status) failed since the agent started.
using FailureCount = std::pair<ffdc_storm_key, ffdc_storm_entry>;

// Cumulative since the agent started (wraps at 2^32 a bucket): subtract two to
// get the percentiles of the time between.
struct LatencyCounts {
  uint64_t completions = 0;
  std::vector<uint32_t> read;  // FFDC_HIST_BUCKETS
  std::vector<uint32_t> write;
};
// Middle of the bucket that holds quantile q (0..1) of later - earlier, in ns; 0 when empty.
uint64_t LatencyQuantileNs(const std::vector<uint32_t>& later, const std::vector<uint32_t>& earlier,
                           double q);

// Bios of a bio-based device mapper device, while such devices are watched.
struct BioFlow {
  bool waiting = false;    // one came after the last that went
  uint64_t completed = 0;  // so many went
  uint64_t cgroup_id = 0;  // who sent the last; hierarchy: as in struct ffdc_block_error
  uint32_t cgroup_hierarchy = 0;
};

class BlockProbe {
 public:
  using RecordSink = std::function<void(const ffdc_block_error&)>;

  // Never fails: what cannot be loaded or attached is inactive in Status(), with the reason.
  static std::unique_ptr<BlockProbe> Start(const BlockProbeOptions& options, RecordSink sink);
  virtual ~BlockProbe() = default;

  [[nodiscard]] virtual int poll_fd() const = 0;  // readable when Consume() has work; -1: inactive
  virtual void Consume() = 0;                     // calls the sink for every waiting record

  // Makes the history up to now immutable and goes on recording elsewhere. If the
  // kernel froze it already, at the failure itself, takes that; a sink that wants it
  // calls this before it returns.
  virtual FrozenHistory Freeze() = 0;
  // The part of Freeze() that others may have to wait for, a microsecond: from the returned moment on
  // (CLOCK_MONOTONIC, ns) the history up to it is immutable. Freeze() then copies that out, or Rearm() keeps
  // it.
  virtual uint64_t StopHistory() = 0;
  // Lets the kernel freeze again at the next first failure, and keeps what it had
  // frozen for the next Freeze(). Freeze() does so itself, and so does Consume() after
  // a record that froze the history and whose sink did not take it.
  virtual void Rearm() = 0;

  // dev: whole disk. Watched devices get a latency histogram while there is room.
  virtual void SetDevice(uint32_t dev, bool watched) = 0;
  virtual void RemoveDevice(uint32_t dev) = 0;
  // block_bio is attached only while a watched device is bio-based. Say it again for each that comes.
  virtual void SetBioDevices(bool any) = 0;

  [[nodiscard]] virtual std::vector<FailureCount> FailureCounts() const = 0;
  [[nodiscard]] virtual LatencyCounts Latencies(uint32_t dev) const = 0;
  // A link fd of the blocked-task iterator (iter/task), for bpf_iter_create in a worker; -1: none.
  [[nodiscard]] virtual int blocked_tasks_link_fd() const = 0;
  // What that iterator tells now, for ParseBlockedTasks (base/blocked_tasks.h). It takes no lock
  // that a failed disk could hold, and some 100 ns for each task there is.
  [[nodiscard]] virtual Result<std::string> BlockedTasksText() const = 0;
  // Of those that SetBioDevices(true) is for.
  [[nodiscard]] virtual BioFlow BiosOf(uint32_t dev) = 0;
  [[nodiscard]] virtual std::vector<v1::Probe> Status() const = 0;
  // Records now in the recorder, and the time of the oldest (0: none).
  [[nodiscard]] virtual uint64_t history_records(uint64_t* oldest_mono_ns) const = 0;
};

// The kernel's words for a REQ_OP_* and a blk_status_t; from the running
// kernel's BTF where numbers moved between kernels.
std::string OpName(uint8_t op);
std::string StatusName(uint8_t status);
// Names of the flags of a request without its op ("sync", "meta", "fua", ...).
std::vector<std::string> RequestFlagNames(uint32_t rq_flags);

}  // namespace ffdc
