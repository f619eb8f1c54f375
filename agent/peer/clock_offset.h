// SPDX-License-Identifier: Apache-2.0
// How far another node's wall clock is from ours, by four timestamps of a
// request and its reply (RFC 5905, section 8). The exchange with the shortest
// round trip knows best; what it knew fades as the clocks drift.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace ffdc {

struct ClockExchange {
  int64_t sent_wall_ns = 0;       // ours
  int64_t received_wall_ns = 0;   // theirs: the request came
  int64_t answered_wall_ns = 0;   // theirs: the reply left
  int64_t returned_wall_ns = 0;   // ours
  uint64_t returned_mono_ns = 0;  // ours
};

struct PeerClock {
  int64_t offset_ns = 0;        // their wall clock minus ours
  uint64_t uncertainty_ns = 0;  // to either side
  uint64_t round_trip_ns = 0;
  uint64_t age_ns = 0;
};

class ClockOffsets {
 public:
  // One in which a clock was set meanwhile says nothing, and is left out; one that contradicts those
  // before shows that a clock was set: only it and later ones count.
  void Add(const ClockExchange& exchange);
  [[nodiscard]] std::optional<PeerClock> At(uint64_t now_mono_ns) const;

 private:
  struct Sample {
    int64_t offset_ns;
    uint64_t round_trip_ns;
    uint64_t mono_ns;
  };
  static PeerClock Of(const Sample& sample, uint64_t now_mono_ns);
  std::deque<Sample> samples_;  // the last kSamples
};

}  // namespace ffdc
