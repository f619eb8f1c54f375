// SPDX-License-Identifier: Apache-2.0
#include "probe/flight_recorder.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "base/fs.h"
#include "probe/bpf_support.h"

namespace ffdc {
namespace {

constexpr size_t kMaxSegments = 7;
constexpr uint64_t kMaxAgeNs = 300'000'000'000;
// A program that read the old half's number before the flip has long finished its
// five stores after this; one whose virtual CPU was stopped in between leaves an
// unfinished record, which is left out.
constexpr uint64_t kSettleNs = 100'000;

template <class T>
std::atomic_ref<T> Shared(T& value) {
  return std::atomic_ref<T>(value);
}

Result<Fd> NewSegment() {
  Fd fd(memfd_create("ffdc-io-history", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return FailErrno("cannot make a file in memory for the I/O history");
  return fd;
}

Result<> Seal(const Fd& fd) {
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
    return FailErrno("cannot seal the I/O history");
  }
  return {};
}

Result<> AppendFile(const Fd& to, const Fd& from, uint64_t size) {
  off_t offset = 0;
  while (static_cast<uint64_t>(offset) < size) {
    const ssize_t sent = sendfile(to.get(), from.get(), &offset, size - static_cast<uint64_t>(offset));
    if (sent <= 0) return FailErrno("cannot join pieces of I/O history");
  }
  return {};
}

uint64_t SizeOf(const HistorySegment& segment) { return segment.records * sizeof(ffdc_io_record); }

// The kernel's try-lock of bpf/include/block_maps.bpf.h, key all zero; a program holds it for well under
// a microsecond.
class FreezeLock {
 public:
  explicit FreezeLock(int locks_fd) : fd_(locks_fd) {
    const uint32_t value = 1;
    for (int attempt = 0; attempt < 1000 && !held_; ++attempt) {
      held_ = bpf_map_update_elem(fd_, &key_, &value, BPF_NOEXIST) == 0;
    }
  }
  FreezeLock(const FreezeLock&) = delete;
  FreezeLock& operator=(const FreezeLock&) = delete;
  ~FreezeLock() {
    if (held_) bpf_map_delete_elem(fd_, &key_);
  }

 private:
  int fd_;
  ffdc_storm_key key_{};
  bool held_ = false;
};

}  // namespace

uint32_t HistoryShift(uint64_t budget_bytes, uint32_t cpus) {
  const uint64_t records = budget_bytes / 2 / std::max(cpus, 1u) / sizeof(ffdc_io_record);
  constexpr uint64_t kMin = 16;
  constexpr uint64_t kMax = 1u << 20;
  return static_cast<uint32_t>(std::bit_width(std::clamp(records, kMin, kMax)) - 1);
}

FlightRecorder::FlightRecorder(int history_fd, int locks_fd, ffdc_block_state* state, Options options)
    : history_fd_(history_fd),
      locks_fd_(locks_fd),
      state_(state),
      options_(std::move(options)),
      capacity_(uint64_t{1} << options_.shift) {
  for (uint32_t half = 0; half < 2; ++half) {
    taken_[half].resize(options_.cpus);
    for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
      ffdc_block_ring& ring = state_->cpus[cpu].rings[half];
      ring.base = RecordIndex(half, cpu, 0);
      ring.mask = static_cast<uint32_t>(capacity_ - 1);
    }
  }
  Shared(state_->control.armed).store(1);
}

uint32_t FlightRecorder::RecordIndex(uint32_t half, uint32_t cpu, uint64_t position) const {
  return static_cast<uint32_t>((half * options_.cpus + cpu) * capacity_ + position % capacity_);
}

FlightRecorder::Range FlightRecorder::Waiting(uint32_t half, uint32_t cpu) const {
  const uint64_t end = Shared(state_->cpus[cpu].rings[half].written).load();
  return {std::max(taken_[half][cpu], end > capacity_ ? end - capacity_ : 0), end};
}

// Until Release(), no failure may flip back to the half that is frozen now.
uint64_t FlightRecorder::StopWriting() {
  ffdc_block_control& control = state_->control;
  const FreezeLock lock(locks_fd_);
  Shared(control.armed).store(0);
  if (Shared(control.frozen_ns).load() == 0) {
    Shared(control.active).fetch_xor(1);
    Shared(control.frozen_ns).store(options_.now_ns());
  }
  return Shared(control.frozen_ns).load();
}

void FlightRecorder::Release() {
  Shared(state_->control.frozen_ns).store(0);
  Shared(state_->control.armed).store(1);
}

void FlightRecorder::TakeFrozenHalf(uint64_t frozen_ns) {
  const uint64_t waited = options_.now_ns() - frozen_ns;
  if (waited < kSettleNs) std::this_thread::sleep_for(std::chrono::nanoseconds(kSettleNs - waited));
  auto copy = CopyHalf((Shared(state_->control.active).load() & 1) ^ 1);
  if (!copy || !copy->segment) return;
  copy->frozen_ns = frozen_ns;
  Keep(std::move(*copy));
}

FrozenHistory FlightRecorder::Freeze() {
  FrozenHistory frozen;
  frozen.frozen_mono_ns = StopWriting();
  TakeFrozenHalf(frozen.frozen_mono_ns);
  Release();
  DropOld();
  for (const Kept& kept : kept_) {
    frozen.segments.push_back(kept.segment);
    frozen.records += kept.segment->records;
  }
  return frozen;
}

uint64_t FlightRecorder::frozen_ns() const { return Shared(state_->control.frozen_ns).load(); }

void FlightRecorder::Rearm() {
  if (Shared(state_->control.armed).load() != 0) return;
  // Frozen by the kernel and asked for by nobody: it is history all the same.
  TakeFrozenHalf(Shared(state_->control.frozen_ns).load());
  Release();
}

std::vector<FlightRecorder::Range> FlightRecorder::TakeRanges(uint32_t half, const ffdc_io_record* rings) {
  std::vector<Range> ranges(options_.cpus);
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    Range& range = ranges[cpu];
    range = Waiting(half, cpu);
    // A record's time is written last: an unfinished one still has that of its last use, or none.
    const auto time_ns = [&](uint64_t position) {
      return rings[cpu * capacity_ + position % capacity_].complete_ns;
    };
    const auto unfinished = [&](uint64_t position) {
      return time_ns(position) < (position == 0 ? 1 : time_ns(position - 1));
    };
    while (rings != nullptr && range.end > range.begin && unfinished(range.end - 1)) --range.end;
    taken_[half][cpu] = range.end;
  }
  return ranges;
}

Result<FlightRecorder::Kept> FlightRecorder::CopyHalf(uint32_t half) {
  const auto view = MapView::Open(history_fd_, uint64_t{RecordIndex(half, 0, 0)} * sizeof(ffdc_io_record),
                                  options_.cpus * capacity_ * sizeof(ffdc_io_record));
  const auto* rings = view ? reinterpret_cast<const ffdc_io_record*>(view->data()) : nullptr;
  const std::vector<Range> ranges = TakeRanges(half, rings);

  Kept kept;
  auto segment = std::make_shared<HistorySegment>();
  for (const Range& range : ranges) segment->records += range.end - range.begin;
  if (segment->records == 0) return kept;
  lost_records_ += segment->records;  // unless all goes well
  if (!view) return Unexpected(view.error());
  FFDC_ASSIGN(segment->memfd, NewSegment());
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    const ffdc_io_record* ring = rings + cpu * capacity_;
    for (uint64_t at = ranges[cpu].begin; at < ranges[cpu].end;) {
      const uint64_t run = std::min(ranges[cpu].end - at, capacity_ - at % capacity_);
      const ffdc_io_record* records = ring + at % capacity_;
      if (kept.oldest_ns == 0 || records->complete_ns < kept.oldest_ns) kept.oldest_ns = records->complete_ns;
      const std::string_view bytes(reinterpret_cast<const char*>(records), run * sizeof(*records));
      FFDC_TRY(WriteAll(segment->memfd.get(), bytes, "the I/O history"));
      at += run;
    }
  }
  FFDC_TRY(Seal(segment->memfd));
  lost_records_ -= segment->records;
  kept.segment = std::move(segment);
  return kept;
}

void FlightRecorder::Keep(Kept kept) {
  kept_.push_back(std::move(kept));
  uint64_t bytes = 0;
  for (const Kept& each : kept_) bytes += SizeOf(*each.segment);
  // At least half a budget of the newest history stays, and never more than a whole one.
  while (bytes - SizeOf(*kept_.front().segment) >= options_.budget_bytes / 2) {
    bytes -= SizeOf(*kept_.front().segment);
    kept_.pop_front();
  }
  if (kept_.size() > kMaxSegments && !MergeSmallest()) kept_.pop_front();
}

void FlightRecorder::DropOld() {
  const uint64_t now = options_.now_ns();
  while (!kept_.empty() && now - kept_.front().frozen_ns > kMaxAgeNs) kept_.pop_front();
}

// Joins the two neighbours that are smallest together: a burst of freezes must
// not push out the large segment from before it.
Result<> FlightRecorder::MergeSmallest() {
  size_t best = 0;
  const auto size_at = [&](size_t i) { return SizeOf(*kept_[i].segment) + SizeOf(*kept_[i + 1].segment); };
  for (size_t i = 1; i + 1 < kept_.size(); ++i) {
    if (size_at(i) < size_at(best)) best = i;
  }
  auto joined = std::make_shared<HistorySegment>();
  FFDC_ASSIGN(joined->memfd, NewSegment());
  for (const size_t i : {best, best + 1}) {
    const HistorySegment& part = *kept_[i].segment;
    FFDC_TRY(AppendFile(joined->memfd, part.memfd, SizeOf(part)));
    joined->records += part.records;
  }
  FFDC_TRY(Seal(joined->memfd));
  kept_[best + 1].segment = std::move(joined);
  kept_[best + 1].oldest_ns = std::min(kept_[best].oldest_ns, kept_[best + 1].oldest_ns);
  kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(best));
  return {};
}

uint64_t FlightRecorder::Records(uint64_t* oldest_mono_ns) const {
  const uint32_t half = Shared(state_->control.active).load() & 1;
  uint64_t records = 0;
  uint64_t oldest = 0;
  const auto note = [&](uint64_t time_ns) {
    if (time_ns != 0 && (oldest == 0 || time_ns < oldest)) oldest = time_ns;
  };
  for (const Kept& kept : kept_) {
    records += kept.segment->records;
    note(kept.oldest_ns);
  }
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    const Range waiting = Waiting(half, cpu);
    if (waiting.begin == waiting.end) continue;
    records += waiting.end - waiting.begin;
    ffdc_io_record record{};
    const auto index = RecordIndex(half, cpu, waiting.begin);
    if (bpf_map_lookup_elem(history_fd_, &index, &record) == 0) note(record.complete_ns);
  }
  if (oldest_mono_ns != nullptr) *oldest_mono_ns = oldest;
  return records;
}

}  // namespace ffdc
