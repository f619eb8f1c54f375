// SPDX-License-Identifier: Apache-2.0
// io.error: requests or bios of a block device failed. One event a device; it
// ends when the device did not fail for quiet_after.
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>

#include "detect/detector.h"
#include "detect/device_sayings.h"
#include "detect/open_events.h"

namespace ffdc {
namespace {

// blk_status_t (include/linux/blk_types.h): the device answered, but said no.
constexpr uint8_t kStatusReservationConflict = 6;
constexpr uint8_t kOpRead = 0;
constexpr uint8_t kOpWrite = 1;

// Nothing is broken: resource_full.cc tells of it.
bool IsFull(const ffdc_storm_key& key) { return key.status == kStatusNoSpace; }

v1::Severity SeverityOf(const ffdc_storm_key& key) {
  if (key.status == kStatusReservationConflict) return v1::WARNING;
  return key.op == kOpRead || key.op == kOpWrite ? v1::CRITICAL : v1::WARNING;
}

class IoErrorDetector final : public Detector {
 public:
  IoErrorDetector(const DetectorWorld& world, EventSink sink)
      : world_(world), sink_(std::move(sink)), sayings_(world) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (const uint32_t dev = sayings_.Hear(header); dev != 0) return ExplainAgain(dev);
    if (header.kind != FFDC_RECORD_BLOCK_ERROR && header.kind != FFDC_RECORD_BIO_ERROR) return;
    const auto& record = reinterpret_cast<const ffdc_block_error&>(header);
    const ffdc_storm_key key{record.dev, record.op, record.status, static_cast<uint16_t>(header.kind)};
    if (IsFull(key) || !world_.watched(record.dev)) return;
    const auto [found, opened] = devices_.try_emplace(record.dev);
    Device& device = found->second;
    if (opened) Begin(device.event, record.dev);
    Count(device, key, record.total, 0, header.time_ns);
    AddEvidence(device.event, record);
    if (opened) Send(device, EventPhase::kOpened);
  }

  void OnTick(const FailureTotals& totals) override {
    for (const auto& [key, entry] : totals) {
      if (!IsFull(key)) Settle(key, entry);
    }
    const uint64_t now = world_.clock->MonotonicNs();
    const auto quiet = static_cast<uint64_t>(world_.quiet_after.count());
    for (auto device = devices_.begin(); device != devices_.end();) {
      const bool ended = now > device->second.event.last_mono_ns() + quiet;
      if (device->second.changed || ended)
        Send(device->second, ended ? EventPhase::kEnded : EventPhase::kUpdated);
      if (ended) {
        for (const auto& [key, count] : device->second.counts) settled_[key] = count.now;
        device = devices_.erase(device);
      } else {
        ++device;
      }
    }
  }

 private:
  // The kernel's counts of one key, since the agent started.
  struct Totals {
    uint64_t total = 0;
    uint64_t suppressed = 0;
  };
  struct KeyCount {
    Totals before;  // when the event opened
    Totals now;
  };
  struct Device {
    v1::Event event;
    std::map<ffdc_storm_key, KeyCount, StormKeyOrder> counts;
    bool changed = false;
  };

  // The kernel's total of a key: grown since the last event means that the device
  // failed, also where every record of it was lost.
  void Settle(const ffdc_storm_key& key, const ffdc_storm_entry& entry) {
    const auto settled = settled_.find(key);
    if (settled != settled_.end() && entry.total < settled->second.total)
      settled_.erase(settled);  // the table was cleared
    const auto known = devices_.find(key.dev);
    if (known != devices_.end()) {
      Count(known->second, key, entry.total, entry.suppressed, entry.last_ns);
      return;
    }
    if (entry.total <= Settled(key).total) return;
    if (!world_.watched(key.dev)) {
      settled_[key] = {entry.total, entry.suppressed};
      return;
    }
    Device& device = devices_[key.dev];
    Begin(device.event, key.dev);
    Count(device, key, entry.total, entry.suppressed, entry.last_ns);
    Send(device, EventPhase::kOpened);
  }

  // What the device said came after the block layer's record.
  void ExplainAgain(uint32_t dev) {
    const auto found = devices_.find(dev);
    if (found == devices_.end()) return;
    v1::Event& event = found->second.event;
    for (v1::FailedIo& io : *event.mutable_evidence())
      if (io.detail().empty() && sayings_.Explain(dev, io, event)) found->second.changed = true;
  }

  Totals Settled(const ffdc_storm_key& key) const {
    const auto found = settled_.find(key);
    return found == settled_.end() ? Totals{} : found->second;
  }

  void Count(Device& device, const ffdc_storm_key& key, uint64_t total, uint64_t suppressed,
             uint64_t time_ns) {
    const auto [found, fresh] = device.counts.try_emplace(key);
    KeyCount& count = found->second;
    if (fresh) count.before = count.now = Settled(key);
    if (total <= count.now.total && suppressed <= count.now.suppressed) return;
    count.now = {std::max(total, count.now.total), std::max(suppressed, count.now.suppressed)};
    device.changed = true;
    v1::Event& event = device.event;
    if (event.first_mono_ns() == 0 || time_ns < event.first_mono_ns()) event.set_first_mono_ns(time_ns);
    event.set_last_mono_ns(std::max(time_ns, event.last_mono_ns()));
  }

  // What stays for the event's life. The subject is asked for once: to find a disk's users takes
  // time that every later record, and the freeze, would wait for.
  void Begin(v1::Event& event, uint32_t dev) const {
    event.set_id(world_.ids->Next());
    event.set_kind("io.error");
    event.set_domain(v1::OTHER);
    event.set_node(world_.node);
    event.set_detected_mono_ns(world_.clock->MonotonicNs());
    SetDisk(event, world_, dev);
  }

  void Send(Device& device, EventPhase phase) {
    v1::Event& event = device.event;
    event.clear_errors();
    uint64_t sum = 0;
    v1::Severity severity = v1::INFO;
    for (const auto& [key, count] : device.counts) {
      if (count.now.total <= count.before.total) continue;
      v1::ErrorCount& error = *event.add_errors();
      error.set_op(world_.op_name(key.op));
      error.set_status(world_.status_name(key.status));
      error.set_blk_status(key.status);
      error.set_count(count.now.total - count.before.total);
      error.set_suppressed(count.now.suppressed - count.before.suppressed);
      sum += error.count();
      severity = std::max(severity, SeverityOf(key));
    }
    std::sort(event.mutable_errors()->begin(), event.mutable_errors()->end(),
              [](const v1::ErrorCount& a, const v1::ErrorCount& b) { return a.count() > b.count(); });
    event.set_count(sum);
    event.set_severity(severity);
    *event.mutable_first_at() = Wall(event.first_mono_ns());
    *event.mutable_last_at() = Wall(event.last_mono_ns());
    event.set_summary(Summary(event));
    device.changed = false;
    sink_(event, phase);
  }

  google::protobuf::Timestamp Wall(uint64_t mono_ns) const {
    return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(world_.clock->WallOf(mono_ns));
  }

  static std::string Summary(const v1::Event& event) {
    std::string text = event.subject().name() + ": ";
    for (int i = 0; i < event.errors_size() && i < 3; ++i) {
      const v1::ErrorCount& error = event.errors(i);
      text += (i == 0 ? "" : ", ") + error.op() + " failed";
      if (error.count() > 1) text += " " + std::to_string(error.count()) + " times";
      text += " (" + error.status() + ")";
    }
    if (event.errors_size() > 3) text += ", ...";
    if (event.evidence_size() == 0) return text;
    const v1::FailedIo& first = event.evidence(0);
    text += ", first at sector " + std::to_string(first.sector());
    if (!first.detail().empty()) text += ": " + first.detail();
    return text;
  }

  void AddEvidence(v1::Event& event, const ffdc_block_error& record) {
    const v1::Client client = world_.client(record.cgroup_id, record.cgroup_hierarchy);
    CountClient(event, client);  // of those sent one by one: storm control keeps the rest back
    if (event.evidence_size() >= kMaxEvidence) return;
    v1::FailedIo& io = *event.add_evidence();
    io = FailedIoOf(world_, record, client);
    io.set_device(event.subject().name());
    sayings_.Explain(record.dev, io, event);
  }

  DetectorWorld world_;
  EventSink sink_;
  DeviceSayings sayings_;
  std::map<uint32_t, Device> devices_;                       // with an open event
  std::map<ffdc_storm_key, Totals, StormKeyOrder> settled_;  // counted in events that have ended
};

FFDC_REGISTER_DETECTOR("io.error",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<IoErrorDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
