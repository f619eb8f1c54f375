// SPDX-License-Identifier: Apache-2.0
// resource.threshold, as the kernel tells of it: a write was answered that there is no space, or a
// thinly provisioned SCSI disk says that its pool crossed its soft threshold. One event a device or
// filesystem; it ends when nothing of the kind was heard for quiet_after.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "detect/detector.h"
#include "detect/open_events.h"
#include "ffdc/abi/fs.h"

namespace ffdc {
namespace {

constexpr size_t kMaxOpenResources = 256;

class ResourceFullDetector final : public Detector {
 public:
  ResourceFullDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "resource.threshold", v1::RESOURCE) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind == FFDC_RECORD_BLOCK_ERROR || header.kind == FFDC_RECORD_BIO_ERROR) {
      const auto& record = reinterpret_cast<const ffdc_block_error&>(header);
      if (record.status != kStatusNoSpace) return;
      const ffdc_storm_key key{record.dev, record.op, record.status, static_cast<uint16_t>(header.kind)};
      Count(key, record.total, header.time_ns, &record);
    } else if (header.kind == FFDC_FAULT_WRITEBACK) {
      const auto& record = reinterpret_cast<const ffdc_fs_error&>(header);
      if (record.error == ENOSPC || record.error == EDQUOT) HearWriteback(record);
    }
  }

  // Counts those too whose record was kept back or lost.
  void OnTick(const FailureTotals& totals) override {
    for (const auto& [key, entry] : totals) {
      if (key.status == kStatusNoSpace) Count(key, entry.total, entry.last_ns, nullptr);
    }
    events_.Tick(true);
  }

  void OnUevent(const Uevent& event) override {
    if (event.subsystem != "scsi" || event.Get("SDEV_UA") != "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED")
      return;
    const std::string address = event.devpath.substr(event.devpath.rfind('/') + 1);
    const auto disks = ListFolder("/sys" + event.devpath + "/block");
    const uint32_t dev =
        !disks || disks->empty() || !world().disk_by_name ? 0 : world().disk_by_name(disks->front());
    if (dev != 0 && !world().watched(dev)) return;
    const std::string id = dev == 0 ? "scsi:" + address + "@" + world().node : world().subject(dev).id();
    Note(id + " soft", world().clock->MonotonicNs(), 1,
         "its pool crossed the soft threshold of its provisioning", [&](v1::Event& fresh) {
           fresh.set_severity(v1::WARNING);
           SetFact(fresh, "answer", "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED");
           if (dev != 0) return SetDisk(fresh, world(), dev);
           fresh.mutable_subject()->set_type("block_device");
           fresh.mutable_subject()->set_id(id);
           fresh.mutable_subject()->set_name(address);
         });
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }

  // total: of this key, since the agent started.
  void Count(const ffdc_storm_key& key, uint64_t total, uint64_t time_ns, const ffdc_block_error* record) {
    uint64_t& counted = counted_[key];
    if (total < counted) counted = 0;  // the table was cleared
    const uint64_t more = total - counted;
    counted = total;
    if (!world().watched(key.dev)) return;
    const std::string event_key = "disk " + std::to_string(key.dev);
    const auto add = [&](v1::Event& event) {
      if (more > 0) CountErrors(event, key, more);
      if (record != nullptr) AddEvidence(event, *record);
    };
    if (more > 0) {
      Note(
          event_key, time_ns, more, "full: a write found no space",
          [&](v1::Event& fresh) {
            fresh.set_severity(v1::CRITICAL);
            SetFact(fresh, "answer", "ENOSPC");
            SetDisk(fresh, world(), key.dev);
          },
          add);
    } else if (v1::Event* open = events_.Find(event_key); open != nullptr && record != nullptr) {
      add(*open);  // the kernel's table was read before its record
      events_.Publish(event_key);
    }
  }

  void AddEvidence(v1::Event& event, const ffdc_block_error& record) const {
    const v1::Client client = world().client(record.cgroup_id, record.cgroup_hierarchy);
    if (!client.type().empty()) CountClient(event, client);
    if (event.evidence_size() >= kMaxEvidence) return;
    v1::FailedIo& io = *event.add_evidence();
    io = FailedIoOf(world(), record, client);
    io.set_device(event.subject().name());
  }

  void CountErrors(v1::Event& event, const ffdc_storm_key& key, uint64_t more) const {
    const std::string op = world().op_name(key.op);
    auto& errors = *event.mutable_errors();
    auto known =
        std::find_if(errors.begin(), errors.end(), [&op](const auto& error) { return error.op() == op; });
    if (known == errors.end()) {
      v1::ErrorCount& fresh = *errors.Add();
      fresh.set_op(op);
      fresh.set_status(world().status_name(key.status));
      fresh.set_blk_status(key.status);
      known = errors.end() - 1;
    }
    known->set_count(known->count() + more);
  }

  void HearWriteback(const ffdc_fs_error& record) {
    const Filesystem filesystem = world().filesystem(record.dev);
    if (filesystem.disk != 0 && !world().watched(filesystem.disk)) return;
    const bool quota = record.error == EDQUOT;
    Note(filesystem.id + (quota ? " quota" : " full"), record.header.time_ns, 1,
         quota ? "a quota is used up: what was written is lost" : "full: what was written is lost",
         [&](v1::Event& fresh) {
           fresh.set_severity(v1::CRITICAL);
           SetFact(fresh, "answer", quota ? "EDQUOT" : "ENOSPC");
           SetFact(fresh, "fs_type",
                   filesystem.type.empty()
                       ? std::string(record.fs_type, strnlen(record.fs_type, sizeof record.fs_type))
                       : filesystem.type);
           SetFilesystem(fresh, world(), filesystem);
         });
  }

  // Where too many are open already, it is in the counts of the kernel alone. add: to an event that
  // may be open already.
  void Note(const std::string& key, uint64_t time_ns, uint64_t count, const std::string& what,
            const OpenEvents::Fill& fill, const OpenEvents::Fill& add = {}) {
    if (events_.Find(key) == nullptr && keys_.size() >= kMaxOpenResources)
      std::erase_if(keys_, [this](const std::string& old) { return events_.Find(old) == nullptr; });
    if (events_.Find(key) == nullptr && keys_.size() >= kMaxOpenResources) return;
    keys_.insert(key);
    v1::Event& event = events_.Note(key, time_ns, count, [&](v1::Event& fresh) {
      SetFact(fresh, "resource", "space");
      fill(fresh);
    });
    if (add) add(event);
    event.set_summary(event.subject().name() + ": " + what);
    events_.Publish(key);
  }

  OpenEvents events_;
  std::set<std::string> keys_;  // of the open events, and of some that have ended
  std::map<ffdc_storm_key, uint64_t, StormKeyOrder> counted_;
};

FFDC_REGISTER_DETECTOR("resource.full",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<ResourceFullDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
