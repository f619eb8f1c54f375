// SPDX-License-Identifier: Apache-2.0
// io.slow: a disk answers far later than is usual for it (baseline.h), for ten
// seconds. Whether disks of its kind do so too tells a slow disk from a slow array
// or network. One event a disk and direction.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "base/block_dev.h"
#include "base/text.h"
#include "detect/baseline.h"
#include "detect/baseline_file.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

// As many as the probe has histograms for on small nodes; some 4 KiB each.
constexpr size_t kMaxDisks = 1024;
constexpr size_t kWindowS = 10;
constexpr uint32_t kMinIos = 20;  // in a window
// Fewer, and the 99th percentile is the worst of them.
constexpr uint32_t kMinIosForP99 = 500;
constexpr uint32_t kSustainedS = 10;
constexpr uint32_t kWellAgainS = 30;
constexpr double kWellAgainTimes = 2;
constexpr uint64_t kForgetNs = 600ull * kNsPerSecond;
constexpr size_t kMinSiblings = 2;
constexpr size_t kMaxParentLookUps = 64;
constexpr std::array<const char*, 2> kOps = {"read", "write"};

struct Second {
  uint32_t count = 0;
  float p50_ns = 0;
  float p99_ns = 0;
  float bytes = 0;
};

// What was learned of one disk, by whatever path it is seen.
struct Learned {
  std::array<Baseline, 2> ops;
  uint64_t used_ns = 0;
};

struct Direction {
  std::array<Second, kWindowS> seconds{};
  uint32_t slow_s = 0;
  uint32_t well_s = 0;
  uint32_t idle_s = 0;
  uint32_t since_learned_s = 0;
  Judgement last;
  uint64_t judged_ns = 0;
};

struct Disk {
  std::string model;
  std::shared_ptr<Learned> learned;
  std::array<Direction, 2> ops;
  uint64_t seen_ns = 0;
};

float Median(std::array<float, kWindowS>& values, size_t count) {
  std::nth_element(values.begin(), values.begin() + count / 2, values.begin() + count);
  return values[count / 2];
}

uint32_t CountOf(const Direction& direction) {
  uint32_t count = 0;
  for (const Second& second : direction.seconds) count += second.count;
  return count;
}

// Every second counts the same: many fast answers of its first half must not hide few slow ones.
LatencyWindow WindowOf(const Direction& direction) {
  std::array<float, kWindowS> p50{};
  std::array<float, kWindowS> p99{};
  size_t active = 0;
  double bytes = 0;
  for (const Second& second : direction.seconds) {
    if (second.count == 0) continue;
    p50[active] = second.p50_ns;
    p99[active++] = second.p99_ns;
    bytes += second.bytes;
  }
  const uint32_t count = CountOf(direction);
  LatencyWindow window;
  if (active == 0) return window;
  window.p50_ns = static_cast<uint64_t>(Median(p50, active));
  if (count >= kMinIosForP99) window.p99_ns = static_cast<uint64_t>(Median(p99, active));
  window.ios_per_s = static_cast<double>(count) / kWindowS;
  window.bytes_per_io = bytes / count;
  return window;
}

std::string Milliseconds(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f ms", ns < 10'000'000 ? 2 : 0, static_cast<double>(ns) / 1e6);
  return text;
}

std::string Times(double times) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", times);
  return text;
}

class IoSlowDetector final : public Detector {
 public:
  IoSlowDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "io.slow", v1::OTHER),
        file_(world, [this](const v1::Baselines& baselines) { Remember(baselines); }) {}

  void OnTick(const FailureTotals& /*totals*/) override {
    if (!world().latencies) return;
    const uint64_t now = world().clock->MonotonicNs();
    constexpr int64_t kHourNs = 3600 * kNsPerSecond;
    const auto hour = static_cast<uint32_t>(world().clock->RealtimeNs() / kHourNs % 24);
    std::map<uint32_t, DiskLatency> seconds;
    for (const DiskLatency& disk : world().latencies()) {
      seconds.emplace(disk.dev, disk);
      Track(disk.dev, now);
    }
    for (auto next = disks_.begin(); next != disks_.end();) {
      const auto disk = next++;
      const auto second = seconds.find(disk->first);
      const DiskLatency latency = second == seconds.end() ? DiskLatency{} : second->second;
      Step(disk->first, disk->second, 0, latency.read, now, hour);
      Step(disk->first, disk->second, 1, latency.write, now, hour);
      if (now > disk->second.seen_ns + kForgetNs) Forget(disk);
    }
    events_.Tick(false);
    if (file_.due()) file_.Save(Collect());
  }

  // Another disk may get its number.
  void OnUevent(const Uevent& event) override {
    if (event.subsystem != "block" || (event.action != "remove" && event.action != "add")) return;
    const auto major = ParseNumber<uint32_t>(event.Get("MAJOR"));
    const auto minor = ParseNumber<uint32_t>(event.Get("MINOR"));
    if (!major || !minor) return;
    const auto disk = disks_.find(*major << FFDC_DEV_MINOR_BITS | *minor);
    if (disk != disks_.end()) Forget(disk);
  }

  bool OnStop() override {
    if (file_.saving()) return false;
    if (stopped_ || !file_.enabled() || !file_.loaded()) return true;
    stopped_ = true;
    file_.Save(Collect());
    return !file_.saving();
  }

 private:
  using Disks = std::map<uint32_t, Disk>;

  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }
  static std::string KeyOf(uint32_t dev, size_t op) { return FormatDev(dev) + " " + kOps[op]; }

  void Track(uint32_t dev, uint64_t now) {
    auto found = disks_.find(dev);
    if (found == disks_.end()) {
      if (disks_.size() >= kMaxDisks) return;
      v1::Subject subject = world().identity(dev);
      if (subject.id().empty()) return;
      found = disks_.emplace(dev, Disk{subject.model(), LearnedOf(subject.id()), {}, now}).first;
    }
    found->second.seen_ns = found->second.learned->used_ns = now;
  }

  std::shared_ptr<Learned> LearnedOf(const std::string& id) {
    const auto found = learned_.find(id);
    if (found != learned_.end()) return found->second;
    if (learned_.size() >= kMaxDisks) {
      learned_.erase(std::min_element(learned_.begin(), learned_.end(), [](const auto& a, const auto& b) {
        return a.second->used_ns < b.second->used_ns;
      }));
    }
    return learned_.emplace(id, std::make_shared<Learned>()).first->second;
  }

  void Forget(Disks::iterator disk) {
    for (size_t op = 0; op < kOps.size(); ++op) End(disk->first, op);
    disks_.erase(disk);
  }

  void End(uint32_t dev, size_t op) {
    const std::string key = KeyOf(dev, op);
    if (const v1::Event* event = events_.Find(key)) events_.End(key, event->last_mono_ns());
  }

  void Step(uint32_t dev, Disk& disk, size_t op, const DiskLatency::Answers& answers, uint64_t now,
            uint32_t hour) {
    Direction& direction = disk.ops[op];
    std::rotate(direction.seconds.begin(), direction.seconds.begin() + 1, direction.seconds.end());
    direction.seconds.back() = {answers.count, static_cast<float>(answers.p50_ns),
                                static_cast<float>(answers.p99_ns), static_cast<float>(answers.bytes)};
    if (CountOf(direction) < kMinIos) {
      const auto quiet_s = static_cast<uint32_t>(world().quiet_after.count() / kNsPerSecond);
      if (++direction.idle_s <= quiet_s) return;
      direction.slow_s = 0;
      return End(dev, op);
    }
    direction.idle_s = 0;
    const LatencyWindow window = WindowOf(direction);
    Baseline& baseline = disk.learned->ops[op];
    direction.last = baseline.Judge(window, hour, world().options.slow_factor);
    direction.judged_ns = now;
    baseline.CountSecond();
    if (++direction.since_learned_s >= Baseline::kLearnEveryS) {
      direction.since_learned_s = 0;
      baseline.Learn(window, hour, direction.last.slow);
    }
    if (direction.last.slow) {
      direction.well_s = 0;
      if (++direction.slow_s >= kSustainedS) Report(dev, disk, op, window, now);
      return;
    }
    direction.slow_s = 0;
    // What cannot be compared any more is another load, of which nothing bad is known.
    const bool well = !direction.last.known || direction.last.times < kWellAgainTimes;
    direction.well_s = well ? direction.well_s + 1 : 0;
    if (direction.well_s >= kWellAgainS) End(dev, op);
  }

  void Report(uint32_t dev, const Disk& disk, size_t op, const LatencyWindow& window, uint64_t now) {
    const std::string key = KeyOf(dev, op);
    const Direction& direction = disk.ops[op];
    const Judgement& seen = direction.last;
    const bool opens = events_.Find(key) == nullptr;
    const uint64_t seconds = opens ? direction.slow_s : 1;
    v1::Event& event = events_.Note(key, now, seconds, [&](v1::Event& fresh) {
      fresh.set_severity(v1::WARNING);
      SetDisk(fresh, world(), dev);
      fresh.set_first_mono_ns(now - (seconds - 1) * kNsPerSecond);
    });
    SetFact(event, "op", kOps[op]);
    SetFact(event, seen.what, Milliseconds(seen.seen_ns));
    SetFact(event, std::string("usual_") + seen.what, Milliseconds(seen.usual_ns));
    SetFact(event, "times", Times(seen.times));
    SetFact(event, "ios_per_s", Times(window.ios_per_s));
    // Some become slow a little later: asked again.
    if (opens || event.count() % kWellAgainS == 0) CompareSiblings(dev, disk, op, event);
    event.set_summary(event.subject().name() + ": " + kOps[op] + "s take " + Milliseconds(seen.seen_ns) +
                      " (" + seen.what + "), " + Times(seen.times) + " times as long as usual");
    events_.Publish(key);
  }

  void CompareSiblings(uint32_t dev, const Disk& disk, size_t op, v1::Event& event) const {
    size_t siblings = 0;
    size_t slow = 0;
    size_t look_ups = 0;
    for (const auto& [other_dev, other] : disks_) {
      const Direction& direction = other.ops[op];
      if (other_dev == dev || !direction.last.known ||
          direction.judged_ns + kWindowS * kNsPerSecond < disk.ops[op].judged_ns)
        continue;
      const bool same_model = !disk.model.empty() && disk.model == other.model;
      if (!same_model && (look_ups++ >= kMaxParentLookUps || !SharesParent(other_dev, event))) continue;
      ++siblings;
      slow += direction.last.slow ? 1 : 0;
    }
    if (siblings < kMinSiblings) return;
    SetFact(event, "siblings",
            std::to_string(slow) + " of " + std::to_string(siblings) + " slow too" +
                (slow == 0          ? ": this disk alone"
                 : slow == siblings ? ": a cause that they share"
                                    : ""));
  }

  // Both lie below one device mapper or md device.
  bool SharesParent(uint32_t other, const v1::Event& event) const {
    const std::vector<std::string> related = world().related(other);
    return std::any_of(related.begin(), related.end(), [&](const std::string& id) {
      return (id.starts_with("dm:") || id.starts_with("md:")) &&
             std::find(event.related_ids().begin(), event.related_ids().end(), id) !=
                 event.related_ids().end();
    });
  }

  void Remember(const v1::Baselines& baselines) {
    for (const v1::DiskBaseline& saved : baselines.disks()) {
      Learned before;
      if (!before.ops[0].Decode(saved.read()) || !before.ops[1].Decode(saved.write())) continue;
      if (!learned_.contains(saved.id()) && learned_.size() >= kMaxDisks) continue;
      Learned& learned = *LearnedOf(saved.id());
      for (size_t op = 0; op < kOps.size(); ++op)
        if (learned.ops[op].active_s() < before.ops[op].active_s())
          learned.ops[op] = std::move(before.ops[op]);
    }
  }

  v1::Baselines Collect() const {
    v1::Baselines baselines;
    for (const auto& [id, learned] : learned_) {
      // A number alone is another disk after a reboot.
      if (id.starts_with("dev:") || (learned->ops[0].empty() && learned->ops[1].empty())) continue;
      v1::DiskBaseline& disk = *baselines.add_disks();
      disk.set_id(id);
      disk.set_read(learned->ops[0].Encode());
      disk.set_write(learned->ops[1].Encode());
    }
    return baselines;
  }

  OpenEvents events_;
  std::map<std::string, std::shared_ptr<Learned>> learned_;  // by identity
  Disks disks_;                                              // by dev: those with I/O of late
  BaselineFile file_;
  bool stopped_ = false;
};

FFDC_REGISTER_DETECTOR("io.slow",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<IoSlowDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
