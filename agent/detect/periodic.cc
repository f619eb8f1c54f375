// SPDX-License-Identifier: Apache-2.0
// periodic: the configured calendar expression elapsed. Its next time is asked of
// systemd-analyze(1), so that it means what it means in a systemd timer.
#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

constexpr uint64_t kRetryNs = 60'000'000'000;
// The wall clock was set, and did not just drift: the next time is another one.
constexpr int64_t kJumpNs = 2'000'000'000;

class PeriodicDetector final : public Detector {
 public:
  PeriodicDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "periodic", v1::REQUESTED) {}

  void OnTick(const FailureTotals& /*totals*/) override {
    if (world().options.periodic.empty() || !world().submit) return;
    const ClockMoment now = world().clock->ReadTogether();
    if (next_wall_ns_ != 0 && now.realtime_ns >= next_wall_ns_) {
      next_wall_ns_ = 0;
      ask_ns_ = 0;
      Raise(now.monotonic_ns);
    }
    const int64_t offset_ns = now.realtime_ns - static_cast<int64_t>(now.monotonic_ns);
    if (std::abs(offset_ns - offset_ns_) > kJumpNs) ask_ns_ = 0;
    offset_ns_ = offset_ns;
    if (!asking_ && now.monotonic_ns >= ask_ns_) Ask();
  }

  [[nodiscard]] std::vector<std::string> Problems() const override {
    if (problem_.empty()) return {};
    return {"periodic.calendar \"" + world().options.periodic + "\": " + problem_};
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }

  void Ask() {
    asking_ = true;
    ask_ns_ = UINT64_MAX;
    WorkerRequest request;
    request.task = "detect.next_elapse";
    request.argument = world().options.periodic;
    world().submit(request, [this](const WorkerReport& report) {
      asking_ = false;
      problem_.clear();
      next_wall_ns_ = 0;
      if (report.outcome != WorkerOutcome::kOk) {
        problem_ = report.error;
        ask_ns_ = world().clock->MonotonicNs() + kRetryNs;
      } else if (const auto seconds = ParseNumber<int64_t>(report.reply)) {
        next_wall_ns_ = *seconds * kNsPerSecond;
      } else {
        problem_ = "never elapses again";
      }
    });
  }

  void Raise(uint64_t time_ns) {
    events_.Once(time_ns, [this](v1::Event& event) {
      event.set_severity(v1::INFO);
      event.mutable_subject()->set_type("node");
      // Not the node's name alone: what else happens to it then is not part of this.
      event.mutable_subject()->set_id("periodic:" + event.id());
      event.mutable_subject()->set_name(event.node());
      event.set_summary("periodic capture (" + world().options.periodic + ")");
    });
  }

  OpenEvents events_;
  int64_t next_wall_ns_ = 0;  // 0: not known
  uint64_t ask_ns_ = 0;       // CLOCK_MONOTONIC: when to ask for it
  int64_t offset_ns_ = 0;     // of the wall clock to CLOCK_MONOTONIC, at the last tick
  bool asking_ = false;
  std::string problem_;
};

FFDC_REGISTER_DETECTOR("periodic",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<PeriodicDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
