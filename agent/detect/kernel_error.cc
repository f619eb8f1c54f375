// SPDX-License-Identifier: Apache-2.0
// kernel.error: the kernel itself failed (panic, oops, lockup, RCU stall).
// hardware.error: the hardware reported an error, corrected or not.
// One event a node and class, from the kernel's log and the ras programs.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/machine_messages.h"
#include "detect/open_events.h"
#include "ffdc/abi/ras.h"

namespace ffdc {
namespace {

const char* SourceName(uint32_t source) {
  return source == FFDC_RAS_MEMORY ? "memory" : source == FFDC_RAS_PCIE ? "pcie" : "cpu";
}

std::string Hex(uint64_t value) {
  std::array<char, 24> text{};
  snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

class KernelErrorDetector final : public Detector {
 public:
  KernelErrorDetector(const DetectorWorld& world, EventSink sink)
      : kernel_(world, sink, "kernel.error", v1::X2),
        hardware_(world, std::move(sink), "hardware.error", v1::OTHER) {}

  void OnKernelMessage(const KernelMessage& message) override {
    if (message.facility != 0) return;
    const auto parsed = ParseMachineMessage(message.text);
    if (!parsed) return;
    if (parsed->kind == MachineMessage::Kind::kKernel) {
      HearKernel(parsed->what, message.time_ns, message.text);
    } else {
      HearHardware(parsed->what, parsed->corrected, message.time_ns, 1, message.text);
    }
  }

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind == FFDC_FAULT_RCU_STALL) {
      const auto& record = reinterpret_cast<const ffdc_rcu_stall&>(header);
      HearKernel("rcu_stall", header.time_ns,
                 "RCU stall: " + FixedText(record.flavour) + " " + FixedText(record.message));
    } else if (header.kind == FFDC_FAULT_RAS) {
      const auto& record = reinterpret_cast<const ffdc_ras_error&>(header);
      const char* source = SourceName(record.source);
      std::string text = source + std::string(" error");
      if (record.label[0] != '\0') text += " at " + FixedText(record.label);
      if (record.message[0] != '\0') text += ": " + FixedText(record.message);
      if (record.source == FFDC_RAS_MCE) text += " in bank " + std::to_string(record.bank);
      if (record.status != 0) text += ", status " + Hex(record.status);
      HearHardware(source, record.severity == FFDC_RAS_CORRECTED, header.time_ns,
                   std::max<uint32_t>(record.count, 1), text);
    }
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    kernel_.Tick(true);
    hardware_.Tick(true);
  }

 private:
  [[nodiscard]] std::string NodeId() const { return "node:" + kernel_.world().node; }

  void HearKernel(const std::string& what, uint64_t time_ns, const std::string& text) {
    kernel_.Note(what, time_ns, 1, [&](v1::Event& event) {
      event.mutable_subject()->set_type("node");
      event.mutable_subject()->set_id(NodeId());
      event.mutable_subject()->set_name(event.node());
      event.set_summary(text);
      SetFact(event, "class", what);
    });
    kernel_.Publish(what);
  }

  void HearHardware(const std::string& what, bool corrected, uint64_t time_ns, uint64_t count,
                    const std::string& text) {
    v1::Event& event = hardware_.Note(what, time_ns, count, [&](v1::Event& fresh) {
      fresh.set_severity(v1::WARNING);
      fresh.mutable_subject()->set_type("hardware");
      fresh.mutable_subject()->set_id("hardware:" + what + "@" + fresh.node());
      fresh.mutable_subject()->set_name(what);
      fresh.add_related_ids(NodeId());
      fresh.set_summary(text);
      SetFact(fresh, "class", what);
    });
    if (!corrected && event.severity() != v1::CRITICAL) {
      event.set_severity(v1::CRITICAL);
      event.set_summary(text);  // the worst of it, not the first
    }
    hardware_.Publish(what);
  }

  OpenEvents kernel_;
  OpenEvents hardware_;
};

FFDC_REGISTER_DETECTOR("kernel.error",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<KernelErrorDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
