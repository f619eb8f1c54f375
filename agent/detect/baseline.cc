// SPDX-License-Identifier: Apache-2.0
#include "detect/baseline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace ffdc {
namespace {

constexpr double kLogScale = 1024;  // of p50, p99 and rate
constexpr double kSizeScale = 4;
constexpr double kSizeReach = 1;     // like: at most twice or half as large
constexpr size_t kMinLike = 30;      // fewer windows like it say nothing
constexpr size_t kMinInHour = 8;     // fewer of its hour: those of the whole day
constexpr size_t kHourShare = 10;    // what an hour is given before others lose their samples
constexpr double kRateBeyond = 0.5;  // half as much again as ever seen
constexpr double kMadsAway = 6;
constexpr double kMinMad = 0.1;  // 7 %: the histogram's own resolution
// Once all is full, one window in so many replaces another: an hour's samples last some two days.
constexpr uint32_t kReplaceOneIn = 64;
// Below these nobody is hurt, and a busy CPU or a deep sleep of the bus explains it.
constexpr double kMinSlowP50Ns = 500e3;
constexpr double kMinSlowP99Ns = 5e6;
constexpr char kFormat = 1;

uint16_t Fixed(double value) {
  if (!(value > 1)) return 0;
  return static_cast<uint16_t>(std::min(std::log2(value) * kLogScale, 65535.0));
}
double Log(uint16_t fixed) { return fixed / kLogScale; }

double Median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Baseline::Sample Baseline::Pack(const LatencyWindow& window, uint32_t hour) {
  Sample sample;
  sample.p50 = Fixed(static_cast<double>(window.p50_ns));
  sample.p99 = Fixed(static_cast<double>(window.p99_ns));
  sample.rate = Fixed(window.ios_per_s + 1);
  if (window.bytes_per_io > 1)
    sample.size = static_cast<uint8_t>(std::min(std::log2(window.bytes_per_io) * kSizeScale, 255.0));
  sample.hour = static_cast<uint8_t>(hour % kHours);
  return sample;
}

Judgement Baseline::Judge(const LatencyWindow& window, uint32_t hour, double slow_factor) const {
  Judgement judgement;
  if (active_s_ < kMinActiveS) return judgement;
  const Sample now = Pack(window, hour);
  uint16_t most = 0;
  Samples like;
  for (const Sample& sample : samples_) {
    if (std::abs(sample.size - now.size) > kSizeReach * kSizeScale) continue;
    like.push_back(sample);
    most = std::max(most, sample.rate);
  }
  // A disk that does more than it was ever seen to do cannot be called slow.
  if (like.size() < kMinLike || Log(now.rate) > Log(most) + kRateBeyond) return judgement;
  Compare(like, now, &Sample::p50, slow_factor, judgement);
  if (window.p99_ns != 0) Compare(like, now, &Sample::p99, slow_factor, judgement);
  return judgement;
}

// How much latency grows with the rate: least squares.
double Baseline::SlopeOf(const Samples& all, uint16_t Sample::*metric) {
  double mean_x = 0;
  double mean_y = 0;
  for (const Sample& sample : all) {
    mean_x += Log(sample.rate) / static_cast<double>(all.size());
    mean_y += Log(sample.*metric) / static_cast<double>(all.size());
  }
  double covariance = 0;
  double variance = 0;
  for (const Sample& sample : all) {
    const double x = Log(sample.rate) - mean_x;
    covariance += x * (Log(sample.*metric) - mean_y);
    variance += x * x;
  }
  return variance < 1e-6 ? 0 : std::clamp(covariance / variance, 0.0, 1.0);
}

void Baseline::Compare(const Samples& like, const Sample& now, uint16_t Sample::*metric, double slow_factor,
                       Judgement& judgement) {
  const bool is_p99 = metric == &Sample::p99;
  const double seen_ns = std::exp2(Log(now.*metric));
  Samples all;
  Samples of_hour;
  uint16_t least = UINT16_MAX;
  for (const Sample& sample : like) {
    if (sample.*metric == 0) continue;
    all.push_back(sample);
    least = std::min(least, sample.*metric);
    if (sample.hour == now.hour) of_hour.push_back(sample);
  }
  if (all.size() < kMinLike) return;
  judgement.known = true;
  // What most windows are, at next to no cost: near the best there is, or too short to hurt.
  if (Log(now.*metric) < Log(least) + 1 || seen_ns < (is_p99 ? kMinSlowP99Ns : kMinSlowP50Ns)) return;

  const double slope = SlopeOf(all, metric);
  const Samples& compared = of_hour.size() >= kMinInHour ? of_hour : all;
  std::vector<double> rates;
  for (const Sample& sample : compared) rates.push_back(Log(sample.rate));
  const double usual_rate = Median(rates);
  // Fewer I/Os than usual explain nothing: it would only make the test stricter.
  const auto explained = [&](const Sample& sample) {
    return slope * std::max(0.0, Log(sample.rate) - usual_rate);
  };
  std::vector<double> rest;
  for (const Sample& sample : compared) rest.push_back(Log(sample.*metric) - explained(sample));
  const double median = Median(rest);
  for (double& value : rest) value = std::abs(value - median);
  const double mad = std::max(Median(rest), kMinMad);

  const double usual = median + explained(now);
  const double excess = Log(now.*metric) - usual;
  const bool slow = excess > std::log2(slow_factor) && excess > kMadsAway * mad;
  const double times = std::exp2(excess);
  if (slow > judgement.slow || (slow == judgement.slow && times > judgement.times)) {
    judgement.times = times;
    judgement.what = is_p99 ? "p99" : "p50";
    judgement.seen_ns = static_cast<uint64_t>(seen_ns);
    judgement.usual_ns = static_cast<uint64_t>(std::exp2(usual));
  }
  judgement.slow |= slow;
}

size_t Baseline::HourCount(uint32_t hour) const {
  return static_cast<size_t>(std::count_if(samples_.begin(), samples_.end(),
                                           [hour](const Sample& sample) { return sample.hour == hour; }));
}

// One at random of the hour that has the most.
size_t Baseline::ToReplace() {
  std::array<size_t, kHours> counts{};
  for (const Sample& sample : samples_) ++counts[sample.hour];
  const auto hour = static_cast<uint8_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  size_t skip = Random() % counts[hour];
  for (size_t i = 0; i < samples_.size(); ++i) {
    if (samples_[i].hour == hour && skip-- == 0) return i;
  }
  return 0;
}

void Baseline::Learn(const LatencyWindow& window, uint32_t hour, bool slow) {
  const bool room = samples_.size() < kMaxSamples || HourCount(hour % kHours) < kHourShare;
  if ((slow || !room) && Random() % kReplaceOneIn != 0) return;
  const Sample sample = Pack(window, hour);
  if (sample.p50 == 0) return;
  if (samples_.size() < kMaxSamples) {
    samples_.push_back(sample);
  } else {
    samples_[ToReplace()] = sample;
  }
}

// xorshift32 (Marsaglia 2003): the same in every run.
uint32_t Baseline::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

// Format, active seconds, samples; as this machine orders bytes: the file never leaves it.
std::string Baseline::Encode() const {
  static_assert(sizeof(Sample) == 8);
  std::string bytes(1, kFormat);
  bytes.append(reinterpret_cast<const char*>(&active_s_), sizeof active_s_);
  bytes.append(reinterpret_cast<const char*>(samples_.data()), samples_.size() * sizeof(Sample));
  return bytes;
}

bool Baseline::Decode(std::string_view bytes) {
  constexpr size_t kHead = 1 + sizeof active_s_;
  if (bytes.size() < kHead || bytes[0] != kFormat || (bytes.size() - kHead) % sizeof(Sample) != 0)
    return false;
  Samples samples((bytes.size() - kHead) / sizeof(Sample));
  if (samples.size() > kMaxSamples) return false;
  if (!samples.empty()) std::memcpy(samples.data(), bytes.data() + kHead, samples.size() * sizeof(Sample));
  for (const Sample& sample : samples)
    if (sample.hour >= kHours || sample.p50 == 0) return false;
  std::memcpy(&active_s_, bytes.data() + 1, sizeof active_s_);
  samples_ = std::move(samples);
  return true;
}

}  // namespace ffdc
