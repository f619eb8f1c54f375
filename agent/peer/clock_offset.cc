// SPDX-License-Identifier: Apache-2.0
#include "peer/clock_offset.h"

#include <cstdlib>

namespace ffdc {
namespace {

constexpr size_t kSamples = 16;
// What undisciplined clocks may differ in their speed, both together.
constexpr uint64_t kDriftPpm = 200;
constexpr int64_t kLongestRoundTripNs = 10'000'000'000;

}  // namespace

PeerClock ClockOffsets::Of(const Sample& sample, uint64_t now_mono_ns) {
  const uint64_t age_ns = now_mono_ns > sample.mono_ns ? now_mono_ns - sample.mono_ns : 0;
  return {sample.offset_ns, sample.round_trip_ns / 2 + age_ns / 1'000'000 * kDriftPpm, sample.round_trip_ns,
          age_ns};
}

void ClockOffsets::Add(const ClockExchange& exchange) {
  const int64_t there_ns = exchange.answered_wall_ns - exchange.received_wall_ns;
  const int64_t round_trip_ns = exchange.returned_wall_ns - exchange.sent_wall_ns - there_ns;
  if (there_ns < 0 || round_trip_ns < 0 || round_trip_ns > kLongestRoundTripNs) return;
  const Sample sample{((exchange.received_wall_ns - exchange.sent_wall_ns) +
                       (exchange.answered_wall_ns - exchange.returned_wall_ns)) /
                          2,
                      static_cast<uint64_t>(round_trip_ns), exchange.returned_mono_ns};
  if (const auto known = At(exchange.returned_mono_ns)) {
    const auto apart_ns = static_cast<uint64_t>(std::llabs(known->offset_ns - sample.offset_ns));
    if (apart_ns > known->uncertainty_ns + sample.round_trip_ns / 2) samples_.clear();
  }
  samples_.push_back(sample);
  if (samples_.size() > kSamples) samples_.pop_front();
}

std::optional<PeerClock> ClockOffsets::At(uint64_t now_mono_ns) const {
  std::optional<PeerClock> best;
  for (const Sample& sample : samples_) {
    const PeerClock clock = Of(sample, now_mono_ns);
    if (!best || clock.uncertainty_ns < best->uncertainty_ns) best = clock;
  }
  return best;
}

}  // namespace ffdc
