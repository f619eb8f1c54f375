// SPDX-License-Identifier: Apache-2.0
// What is usual for one disk and one direction, and what is not. A sample of
// windows, spread over the hours of the day, is kept; a window is compared with
// those like it: of about the same size of I/O, of the same hour where there are
// enough, and with what its throughput explains taken away (the idea of Perseus,
// FAST '23: more work takes longer, and only what takes longer at the same work is
// slow). Medians and median deviations: outliers do not count. On a log scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ffdc {

// Some seconds of one disk and direction.
struct LatencyWindow {
  uint64_t p50_ns = 0;
  uint64_t p99_ns = 0;  // 0: too few I/Os to tell
  double ios_per_s = 0;
  double bytes_per_io = 0;
};

struct Judgement {
  bool known = false;  // there is something to compare it with
  bool slow = false;
  double times = 0;          // as slow as usual, by what is slower; 0: not noticeably slower
  const char* what = "p50";  // which that is
  uint64_t seen_ns = 0;
  uint64_t usual_ns = 0;  // at this throughput
};

class Baseline {
 public:
  // The windows that may be learned come this far apart, those that only count every second.
  static constexpr uint32_t kLearnEveryS = 10;
  // Before it speaks.
  static constexpr uint32_t kMinActiveS = 600;
  static constexpr size_t kMaxSamples = 224;

  // hour: of the day, 0 to 23, in whatever time zone, always the same.
  [[nodiscard]] Judgement Judge(const LatencyWindow& window, uint32_t hour, double slow_factor) const;
  // A second with I/O; every kLearnEveryS of them, Learn() too.
  void CountSecond() { ++active_s_; }
  // slow: it was judged so. Such are learned too, but so slowly that it takes more than a day
  // until they are usual.
  void Learn(const LatencyWindow& window, uint32_t hour, bool slow);

  [[nodiscard]] uint32_t active_s() const { return active_s_; }
  [[nodiscard]] bool empty() const { return samples_.empty(); }

  // As bytes that outlive the agent. Decode: false where the bytes are none of Encode()'s.
  [[nodiscard]] std::string Encode() const;
  bool Decode(std::string_view bytes);

 private:
  static constexpr uint32_t kHours = 24;
  struct Sample {  // logarithms to the base 2, fixed point; eight bytes
    uint16_t p50 = 0;
    uint16_t p99 = 0;  // 0: none
    uint16_t rate = 0;
    uint8_t size = 0;
    uint8_t hour = 0;
  };
  using Samples = std::vector<Sample>;
  static Sample Pack(const LatencyWindow& window, uint32_t hour);
  static double SlopeOf(const Samples& all, uint16_t Sample::*metric);
  static void Compare(const Samples& like, const Sample& now, uint16_t Sample::*metric, double slow_factor,
                      Judgement& judgement);
  [[nodiscard]] size_t HourCount(uint32_t hour) const;
  [[nodiscard]] size_t ToReplace();
  uint32_t Random();

  Samples samples_;
  uint32_t active_s_ = 0;
  uint32_t random_ = 0x9e3779b9;
};

}  // namespace ffdc
