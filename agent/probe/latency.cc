// SPDX-License-Identifier: Apache-2.0
#include "probe/latency.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "probe/bpf_support.h"

namespace ffdc {
namespace {

constexpr uint32_t kSubBuckets = 1u << FFDC_HIST_SUB_SHIFT;

}  // namespace

uint64_t BucketMiddleNs(uint32_t bucket) {
  if (bucket == 0) return uint64_t{1} << (FFDC_HIST_MIN_SHIFT - 1);
  if (bucket >= FFDC_HIST_LAST) return uint64_t{1} << FFDC_HIST_MAX_SHIFT;
  const uint32_t octave = (bucket - 1) / kSubBuckets + FFDC_HIST_MIN_SHIFT;
  const uint64_t low = uint64_t{kSubBuckets + (bucket - 1) % kSubBuckets} << (octave - FFDC_HIST_SUB_SHIFT);
  return low + (uint64_t{1} << (octave - FFDC_HIST_SUB_SHIFT - 1));
}

uint64_t LatencyQuantileNs(const std::vector<uint32_t>& later, const std::vector<uint32_t>& earlier,
                           double q) {
  const size_t size = std::min<size_t>(later.size(), FFDC_HIST_LAST + 1);
  // Counters wrap; their difference does not mind.
  const auto between = [&](size_t i) { return i < earlier.size() ? later[i] - earlier[i] : later[i]; };
  uint64_t total = 0;
  for (size_t i = 0; i < size; ++i) total += between(i);
  if (total == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, total);
  uint64_t seen = 0;
  uint32_t bucket = 0;
  for (; bucket < size; ++bucket) {
    seen += between(bucket);
    if (seen >= rank) break;
  }
  return BucketMiddleNs(bucket);
}

uint32_t HistogramSlots(uint64_t budget_bytes, uint32_t cpus) {
  constexpr uint64_t kMin = 16;
  constexpr uint64_t kMax = 4096;
  return static_cast<uint32_t>(
      std::clamp(budget_bytes / (uint64_t{cpus} * sizeof(ffdc_histogram)), kMin, kMax));
}

LatencyTable::LatencyTable(int map_fd, uint32_t slots, uint32_t cpus) : map_fd_(map_fd), cpus_(cpus) {
  for (uint32_t slot = slots; slot > 0; --slot) free_.push_back(slot - 1);
}

uint32_t LatencyTable::Assign(uint32_t dev) {
  if (const auto found = slots_.find(dev); found != slots_.end()) return found->second;
  if (free_.empty() || !Clear(free_.back())) return FFDC_NO_SLOT;
  const uint32_t slot = free_.back();
  free_.pop_back();
  slots_.emplace(dev, slot);
  return slot;
}

void LatencyTable::Release(uint32_t dev) {
  const auto found = slots_.find(dev);
  if (found == slots_.end()) return;
  free_.push_back(found->second);
  slots_.erase(found);
}

bool LatencyTable::Clear(uint32_t slot) const {
  const ffdc_histogram empty{};
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    const uint32_t index = slot * cpus_ + cpu;
    if (bpf_map_update_elem(map_fd_, &index, &empty, BPF_ANY) != 0) return false;
  }
  return true;
}

LatencyCounts LatencyTable::Read(uint32_t dev) const {
  LatencyCounts counts;
  counts.read.resize(FFDC_HIST_BUCKETS);
  counts.write.resize(FFDC_HIST_BUCKETS);
  const auto found = slots_.find(dev);
  if (found == slots_.end()) return counts;
  const auto view = MapView::Open(map_fd_, uint64_t{found->second} * cpus_ * sizeof(ffdc_histogram),
                                  cpus_ * sizeof(ffdc_histogram));
  if (!view) return counts;
  const auto* histograms = reinterpret_cast<const ffdc_histogram*>(view->data());
  for (uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    const auto& by_class = histograms[cpu].count;
    for (uint32_t bucket = 0; bucket < FFDC_HIST_BUCKETS; ++bucket) {
      counts.completions += uint64_t{by_class[FFDC_HIST_READ][bucket]} + by_class[FFDC_HIST_WRITE][bucket];
      if (bucket > FFDC_HIST_LAST) continue;
      counts.read[bucket] += by_class[FFDC_HIST_READ][bucket];
      counts.write[bucket] += by_class[FFDC_HIST_WRITE][bucket];
    }
  }
  return counts;
}

}  // namespace ffdc
