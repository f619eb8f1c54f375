// SPDX-License-Identifier: Apache-2.0
// service.failed: a watched unit died, or stopped answering its watchdog, without being
// asked to stop. Ends when it is active again.
#include <map>
#include <string>

#include "detect/detector.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

// systemd's words for how a unit ended (systemd.exec(5), "Result" in org.freedesktop.systemd1(5)).
std::string WhyFailed(const UnitState& state) {
  const std::string& result = state.result;
  if (result == "watchdog") return "did not answer its watchdog";
  if (result == "signal") return "was killed by a signal";
  if (result == "core-dump") return "crashed";
  if (result == "exit-code") return "ended with an error";
  if (result == "oom-kill") return "was killed for want of memory";
  if (result == "timeout") return "did not start or stop in time";
  if (result == "success" || result.empty()) return "ended by itself";
  return "failed (" + result + ")";
}

class ServiceFailedDetector final : public Detector {
 public:
  ServiceFailedDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "service.failed", v1::X2) {}

  void OnUnit(const UnitState& state) override {
    Unit& unit = units_[state.unit];
    if (state.active_state.empty()) {
      unit.unseen = true;
      return;
    }
    const bool active = state.active_state == "active" || state.active_state == "reloading";
    if (active) {
      unit = {.was_active = true, .was_running = state.sub_state == "running"};
      events_.End(state.unit, state.time_ns);
      return;
    }
    if (Failed(unit, state)) {
      Raise(state);
    } else if (state.active_state == "deactivating") {
      unit.stopping = true;
    }
    if (state.active_state != "deactivating") unit.was_active = unit.was_running = false;
    unit.unseen = false;
  }

  void OnTick(const FailureTotals& /*totals*/) override { events_.Tick(false); }

 private:
  struct Unit {
    bool was_active = false;   // and has not ended since
    bool was_running = false;  // with a process of its own
    bool stopping = false;     // was asked to
    bool unseen = false;       // since it was seen last it may have been asked to stop
  };

  // The unit is not active. A person's stop shows as "deactivating" while its result is still
  // "success"; whatever its processes then exit with is part of that, but that they hang is not.
  [[nodiscard]] static bool Failed(const Unit& unit, const UnitState& state) {
    const bool success = state.result.empty() || state.result == "success";
    if (!success && (state.sub_state.starts_with("auto-restart") || state.result == "watchdog"))
      return unit.was_active || state.active_state == "activating";
    if (!unit.was_active) return false;
    if (state.result == "timeout") return true;
    if (unit.stopping) return false;
    if (!success || state.active_state == "failed") return true;
    // With no process to wait for, a stop that was asked for shows no "deactivating".
    return state.active_state == "inactive" && unit.was_running && !unit.unseen;
  }

  void Raise(const UnitState& state) {
    const bool known = events_.Find(state.unit) != nullptr;
    v1::Event& event = events_.Note(state.unit, state.time_ns, known ? 0 : 1, [&](v1::Event& fresh) {
      fresh.mutable_subject()->set_type("unit");
      fresh.mutable_subject()->set_id("unit:" + state.unit + "@" + fresh.node());
      fresh.mutable_subject()->set_name(state.unit);
      fresh.set_summary(state.unit + " " + WhyFailed(state));
    });
    SetFact(event, "result", state.result);
    SetFact(event, "active_state", state.active_state);
    SetFact(event, "sub_state", state.sub_state);
    events_.Publish(state.unit);
  }

  OpenEvents events_;
  std::map<std::string, Unit> units_;  // those of the configuration
};

FFDC_REGISTER_DETECTOR("service.failed",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<ServiceFailedDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
