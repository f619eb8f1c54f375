// SPDX-License-Identifier: Apache-2.0
// The user-space half of the per-I/O flight recorder (bpf/include/recorder.bpf.h):
// flips the halves, copies the one that was frozen, keeps the last copies.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "ffdc/abi/block_state.h"
#include "probe/block_probe.h"

namespace ffdc {

// Shift s so that 2^s records a CPU, in both halves on all CPUs, fit the budget.
uint32_t HistoryShift(uint64_t budget_bytes, uint32_t cpus);

class FlightRecorder {
 public:
  struct Options {
    uint32_t cpus = 1;
    uint32_t shift = 0;
    uint64_t budget_bytes = 0;
    std::function<uint64_t()> now_ns;  // CLOCK_MONOTONIC
  };
  // Borrows the map's descriptors and its memory.
  FlightRecorder(int history_fd, int locks_fd, ffdc_block_state* state, Options options);

  uint64_t StopWriting();  // when that was
  FrozenHistory Freeze();
  void Rearm();
  [[nodiscard]] uint64_t frozen_ns() const;  // when the kernel froze what nobody has taken yet; 0: it did not
  [[nodiscard]] uint64_t Records(uint64_t* oldest_mono_ns) const;
  [[nodiscard]] uint64_t lost_records() const { return lost_records_; }  // frozen but not copied: no memory

 private:
  struct Kept {
    std::shared_ptr<const HistorySegment> segment;
    uint64_t oldest_ns = 0;
    uint64_t frozen_ns = 0;
  };

  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  void Release();
  void TakeFrozenHalf(uint64_t frozen_ns);
  std::vector<Range> TakeRanges(uint32_t half, const ffdc_io_record* rings);
  Result<Kept> CopyHalf(uint32_t half);
  void Keep(Kept kept);
  void DropOld();
  Result<> MergeSmallest();
  [[nodiscard]] Range Waiting(uint32_t half, uint32_t cpu) const;
  // Where the record lies in the map.
  [[nodiscard]] uint32_t RecordIndex(uint32_t half, uint32_t cpu, uint64_t position) const;

  int history_fd_;
  int locks_fd_;
  ffdc_block_state* state_;
  Options options_;
  uint64_t capacity_;               // records of one CPU in one half, a power of two
  std::vector<uint64_t> taken_[2];  // per CPU: records before this one were copied already
  std::deque<Kept> kept_;           // oldest first
  uint64_t lost_records_ = 0;
};

}  // namespace ffdc
