// SPDX-License-Identifier: Apache-2.0
// The 1 Hz history of the last hour: diskstats, PSI, vmstat, meminfo, TCP and
// interface counters, per-device latency percentiles, delta-compressed into a
// bounded buffer. Loop thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace ffdc {

struct HistoryOptions {
  uint64_t max_bytes = 8u << 20;
  uint64_t max_samples = 3600;
  std::filesystem::path procfs = "/proc";
};

// name -> value pairs added to each sample by others ("latency.sda.read_p99_ns").
using ExtraSample = std::function<void(const std::function<void(const std::string&, int64_t)>&)>;

class History {
 public:
  static std::unique_ptr<History> Create(const HistoryOptions& options, const Clock& clock,
                                         ExtraSample extra);
  virtual ~History() = default;

  virtual void Sample() = 0;  // once a second
  // A memfd with everything up to now, in the encoding that DecodeHistory reads. About a
  // millisecond for a full hour: nothing in it is overwritten meanwhile, so alert first.
  virtual Result<Fd> Freeze() = 0;
  [[nodiscard]] virtual uint64_t samples() const = 0;
  [[nodiscard]] virtual uint64_t bytes() const = 0;
  [[nodiscard]] virtual uint64_t dropped() const = 0;  // samples that gave way before their hour was over
};

struct HistorySample {
  uint64_t mono_ns = 0;
  int64_t wall_ns = 0;
  // Sorted by name: "disk.sda.read_ios", "psi.io.some_total_us", "vm.pgfault", "mem.MemFree_kb",
  // "tcp.RetransSegs", "tcpext.TCPTimeouts", "net.eth0.rx_bytes", "load.1m_x100", ... cumulative as
  // the kernel gives them. A disk that was never used has none. "history.left_out": how many rows
  // and values were too many.
  std::vector<std::pair<std::string, int64_t>> values;
};
// Calls sink per sample, oldest first. The encoding may come from a crashed
// agent: anything malformed is an error, never undefined behaviour (fuzzed). What the sink got
// before an error was in order.
Result<> DecodeHistory(std::string_view encoded, const std::function<void(const HistorySample&)>& sink);

}  // namespace ffdc
