// SPDX-License-Identifier: Apache-2.0
// io.timeout: a device gave no answer to a command for as long as its driver waits:
// SCSI by tracepoint, NVMe and others by the kernel's log. It opens before any error
// does, and also where the next try succeeds. One event a disk, until it is quiet.
#include <map>

#include "base/block_dev.h"
#include "base/text.h"
#include "detect/kernel_timeouts.h"
#include "detect/open_events.h"
#include "detect/scsi_words.h"

namespace ffdc {
namespace {

constexpr int kMaxEvidence = 16;

class IoTimeoutDetector final : public Detector {
 public:
  IoTimeoutDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "io.timeout", v1::X1) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_FAULT_SCSI_TIMEOUT) return;
    const auto& record = reinterpret_cast<const ffdc_scsi_error&>(header);
    ++noted_[record.dev];
    if (!world().watched(record.dev)) return;
    v1::Event& event = Note(record.dev, header.time_ns, 1);
    CountClient(event, world().client(record.cgroup_id, record.cgroup_hierarchy));
    AddEvidence(event, record);
    SetFact(event, "command", ScsiOpcodeName(record.opcode));
    SetFact(event, "waited_s", SecondsText(record.waited_ns));
    SetFact(event, "retries", std::to_string(record.retries) + " of " + std::to_string(record.allowed));
    Summarize(event);
    events_.Publish(FormatDev(record.dev));
  }

  void OnKernelMessage(const KernelMessage& message) override {
    const auto timeout = ParseKernelTimeout(message.text);
    if (!timeout) return;
    // The first namespace of an NVMe controller, or of the subsystem that it was the first of.
    const std::string disk = timeout->device + (timeout->controller ? "n1" : "");
    const uint32_t dev = world().disk_by_name ? world().disk_by_name(disk) : 0;
    if (dev != 0 && !world().watched(dev)) return;
    const std::string key = dev == 0 ? timeout->device : FormatDev(dev);
    v1::Event& event = dev == 0 ? events_.Note(key, message.time_ns, 1,
                                               [&](v1::Event& fresh) { FillUnknown(*timeout, fresh); })
                                : Note(dev, message.time_ns, 1);
    SetFact(event, "kernel", timeout->what);
    Summarize(event);
    events_.Publish(key);
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    if (world().fault_totals) {
      for (const auto& [key, entry] : world().fault_totals())
        if (key.kind == FFDC_FAULT_SCSI_TIMEOUT) Settle(static_cast<uint32_t>(key.object), entry);
    }
    events_.Tick(true);
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }

  // What storm control kept back, and records that were lost.
  void Settle(uint32_t dev, const ffdc_fault_entry& entry) {
    uint64_t& noted = noted_[dev];
    const uint64_t missing = entry.total > noted ? entry.total - noted : 0;
    noted = entry.total;
    if (missing == 0 || !world().watched(dev)) return;
    Summarize(Note(dev, entry.last_ns, missing));
    events_.Publish(FormatDev(dev));
  }

  v1::Event& Note(uint32_t dev, uint64_t time_ns, uint64_t count) {
    return events_.Note(FormatDev(dev), time_ns, count, [&](v1::Event& event) {
      event.set_severity(v1::WARNING);
      SetDisk(event, world(), dev);
    });
  }

  void FillUnknown(const KernelTimeout& timeout, v1::Event& event) const {
    event.set_severity(v1::WARNING);
    v1::Subject& subject = *event.mutable_subject();
    subject.set_type(timeout.controller ? "nvme_controller" : "block_device");
    subject.set_id(subject.type() + ":" + timeout.device + "@" + world().node);
    subject.set_name(timeout.device);
  }

  void AddEvidence(v1::Event& event, const ffdc_scsi_error& record) const {
    if (event.evidence_size() >= kMaxEvidence) return;
    v1::FailedIo& io = *event.add_evidence();
    io.set_time_mono_ns(record.header.time_ns);
    io.set_time_wall_ns(world().clock->WallOf(record.header.time_ns));
    io.set_op(world().op_name(record.op));
    io.set_sector(record.sector);
    io.set_len_bytes(record.len_bytes);
    io.set_latency_ns(record.waited_ns);
    io.set_status("timed out");
    io.set_device(event.subject().name());
    io.set_detail(ScsiOpcodeName(record.opcode));
    v1::Client client = world().client(record.cgroup_id, record.cgroup_hierarchy);
    if (!client.type().empty()) *io.mutable_client() = std::move(client);
  }

  static void Summarize(v1::Event& event) {
    std::string text = event.subject().name() + ": ";
    if (event.evidence_size() == 0) {
      text += "I/O timed out";
    } else {
      const v1::FailedIo& first = event.evidence(0);
      text += first.op() + " got no answer";
      if (first.latency_ns() != 0) text += " for " + SecondsText(first.latency_ns()) + " s";
      text += " (" + first.detail() + " at sector " + std::to_string(first.sector()) + ")";
    }
    if (event.count() > 1) text += ", " + std::to_string(event.count()) + " timeouts";
    event.set_summary(text);
  }

  OpenEvents events_;
  std::map<uint32_t, uint64_t> noted_;  // by dev: timeouts seen; bounded by the kernel's table
};

FFDC_REGISTER_DETECTOR("io.timeout",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<IoTimeoutDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
