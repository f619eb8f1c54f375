// SPDX-License-Identifier: Apache-2.0
// io.retry: a device needs more than one try for too many of its commands. A single
// retry that succeeds concerns nobody; more than retries_per_minute of them are an
// event, which ends when they have become few again for quiet_after.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/block_dev.h"
#include "detect/device_sayings.h"
#include "detect/nvme_words.h"
#include "detect/open_events.h"
#include "detect/scsi_words.h"
#include "ffdc/abi/nvme.h"

namespace ffdc {
namespace {

constexpr size_t kMaxDevices = 4096;  // as many as the kernel's table has entries
constexpr uint64_t kMinuteNs = 60ull * kNsPerSecond;
constexpr size_t kSlots = 12;  // of the sliding minute
constexpr uint64_t kSlotNs = kMinuteNs / kSlots;

// The growth of a count in the last minute.
class SlidingMinute {
 public:
  void Add(uint64_t now_ns, uint64_t count) {
    Forget(now_ns);
    slots_[now_ns / kSlotNs % kSlots] += count;
  }
  uint64_t Sum(uint64_t now_ns) {
    Forget(now_ns);
    return std::accumulate(slots_.begin(), slots_.end(), uint64_t{0});
  }

 private:
  void Forget(uint64_t now_ns) {
    const uint64_t slot = now_ns / kSlotNs;
    for (uint64_t next = std::max(slot_ + 1, slot < kSlots ? 0 : slot - kSlots + 1); next <= slot; ++next)
      slots_[next % kSlots] = 0;
    slot_ = slot;
  }
  std::array<uint64_t, kSlots> slots_{};
  uint64_t slot_ = 0;
};

struct KeyOrder {
  bool operator()(const ffdc_fault_key& a, const ffdc_fault_key& b) const {
    return std::tie(a.object, a.kind, a.detail) < std::tie(b.object, b.kind, b.detail);
  }
};

class IoRetryDetector final : public Detector {
 public:
  IoRetryDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "io.retry", v1::OTHER) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind == FFDC_FAULT_SCSI_ERROR) {
      const auto& error = reinterpret_cast<const ffdc_scsi_error&>(header);
      if (Device* device = Get(error.dev)) device->last = {"sense", ScsiErrorText(error)};
    } else if (header.kind == FFDC_FAULT_NVME_ERROR) {
      const auto& error = reinterpret_cast<const ffdc_nvme_error&>(header);
      Device* device = Get(error.dev);
      if (device == nullptr) return;
      device->last = {"nvme_status", NvmeStatusText(error.status)};
      device->disk = NvmeDisk(events_.world(), header);
    }
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    if (!events_.world().fault_totals) return;
    const uint64_t now = events_.world().clock->MonotonicNs();
    std::map<ffdc_fault_key, uint64_t, KeyOrder> totals;
    for (const auto& [key, entry] : events_.world().fault_totals()) {
      if (key.kind != FFDC_FAULT_REQUEUE && key.kind != FFDC_FAULT_SCSI_ERROR &&
          key.kind != FFDC_FAULT_NVME_ERROR)
        continue;
      const auto known = totals_.find(key);
      // Less than before: the kernel dropped the entry, and began a new one.
      const uint64_t before = known == totals_.end() || known->second > entry.total ? 0 : known->second;
      totals.emplace(key, entry.total);
      if (entry.total != before) Count(key, entry.total - before, now);
    }
    totals_ = std::move(totals);
    for (auto& [dev, device] : devices_) Check(dev, device, now);
    std::erase_if(devices_, [&](auto& entry) { return now > entry.second.used_ns + kMinuteNs; });
    events_.Tick(true);
  }

 private:
  struct Device {
    SlidingMinute requeues;
    SlidingMinute errors;  // answers after which another try says something about the device
    bool answers = false;  // the programs that hear the device's answers are at work
    std::pair<const char*, std::string> last;
    uint32_t disk = 0;   // whose event it is, where that is another: an NVMe path
    uint64_t fresh = 0;  // requeues since the last tick
    bool left_out = false;
    uint64_t used_ns = 0;
  };

  Device* Get(uint32_t dev) {
    const auto found = devices_.find(dev);
    if (found == devices_.end() && devices_.size() >= kMaxDevices) return nullptr;
    Device& device = found == devices_.end() ? devices_[dev] : found->second;
    device.used_ns = events_.world().clock->MonotonicNs();
    return &device;
  }

  void Count(const ffdc_fault_key& key, uint64_t grown, uint64_t now) {
    Device* device = Get(static_cast<uint32_t>(key.object));
    if (device == nullptr) return;
    if (key.kind == FFDC_FAULT_REQUEUE) {
      device->fresh += grown;
      return device->requeues.Add(now, grown);
    }
    device->answers = true;
    if (key.kind == FFDC_FAULT_SCSI_ERROR && IsRoutineScsiAnswer(key.detail)) return;
    device->errors.Add(now, grown);
  }

  // Not every failed command is tried again, and not every command that is tried again failed.
  static uint64_t Retries(Device& device, uint64_t now) {
    const uint64_t requeues = device.requeues.Sum(now);
    return device.answers ? std::min(requeues, device.errors.Sum(now)) : requeues;
  }

  void Check(uint32_t dev, Device& device, uint64_t now) {
    const DetectorWorld& world = events_.world();
    const uint64_t fresh = std::exchange(device.fresh, 0);
    const uint64_t retries = Retries(device, now);
    if (fresh == 0 || retries <= world.options.retries_per_minute || device.left_out) return;
    const uint32_t disk = device.disk == 0 ? dev : device.disk;
    if (!world.watched(disk)) return;
    const std::string key = FormatDev(disk);
    const uint64_t count = events_.Find(key) == nullptr ? retries : std::min(fresh, retries);
    if (events_.Find(key) == nullptr) {
      v1::Subject subject = world.subject(disk);
      // Requests go back to a multipath disk when a path fails, and to no other kind of device
      // mapper: that is told as path.degraded.
      device.left_out = subject.id().starts_with("dm:");
      if (device.left_out) return;
      events_.Note(key, now, 0, [&](v1::Event& event) {
        event.set_severity(v1::WARNING);
        *event.mutable_subject() = std::move(subject);
        AddRelated(event, world, disk);
      });
    }
    v1::Event& event = events_.Note(key, now, count, {});
    SetFact(event, "retries_per_minute", std::to_string(retries));
    if (!device.last.second.empty()) SetFact(event, device.last.first, device.last.second);
    event.set_summary(event.subject().name() + ": " + std::to_string(retries) + " retries in a minute" +
                      (device.last.second.empty() ? "" : " (" + device.last.second + ")"));
    events_.Publish(key);
  }

  OpenEvents events_;
  std::map<ffdc_fault_key, uint64_t, KeyOrder> totals_;  // at the last tick
  std::map<uint32_t, Device> devices_;                   // with a count that grew in the last minute
};

FFDC_REGISTER_DETECTOR("io.retry",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<IoRetryDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
