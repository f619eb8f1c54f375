// SPDX-License-Identifier: Apache-2.0
// fs.error: a filesystem on a block device reported an error, was shut down or made
// read-only, or could not write back what it had promised. One event a filesystem.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "detect/detector.h"
#include "detect/fs_messages.h"
#include "detect/open_events.h"
#include "ffdc/abi/fs.h"

namespace ffdc {
namespace {

// A filesystem that turns read-only does so within moments of its error. Later it is a person's remount.
constexpr uint64_t kTurnsReadOnlyNs = 10'000'000'000;
constexpr size_t kMaxOpen = 256;

// One thing that was heard of a filesystem, from the kernel's programs or its log.
struct Report {
  uint64_t time_ns = 0;
  std::string detail;  // for the summary
  std::string function;
  std::string error;
  uint64_t inode = 0;
  bool read_only = false;
  v1::Client client;  // whose task found it; type "": unknown
};

std::string ErrorName(uint32_t error) {
  const char* name = strerrorname_np(static_cast<int>(error));
  return name == nullptr ? std::to_string(error) : name;
}

Report ReportOf(const ffdc_fs_error& record) {
  Report report;
  report.time_ns = record.header.time_ns;
  report.function = FixedText(record.function);
  report.inode = record.inode;
  if (record.error != 0) report.error = ErrorName(record.error);
  if (record.header.kind == FFDC_FAULT_WRITEBACK) {
    report.detail = (record.flags & FFDC_FS_BLOCKDEV) != 0 ? std::string("metadata")
                                                           : "data of inode " + std::to_string(record.inode);
    report.detail = "writeback of " + report.detail + " failed: " + report.error;
  } else {
    report.read_only = (record.flags & FFDC_FS_SHUTDOWN) != 0;
    report.detail = report.read_only ? "shut down" : "error";
    if (!report.function.empty())
      report.detail += " in " + report.function + ":" + std::to_string(record.line);
  }
  return report;
}

class FsErrorDetector final : public Detector {
 public:
  FsErrorDetector(const DetectorWorld& world, EventSink sink)
      : events_(world, std::move(sink), "fs.error", v1::OTHER) {}

  void OnRecord(const ffdc_record_header& header) override {
    if (header.kind != FFDC_FAULT_FS_ERROR && header.kind != FFDC_FAULT_WRITEBACK) return;
    const auto& record = reinterpret_cast<const ffdc_fs_error&>(header);
    // Nothing is broken: resource_full.cc tells of it.
    if (header.kind == FFDC_FAULT_WRITEBACK && (record.error == ENOSPC || record.error == EDQUOT)) return;
    const Filesystem filesystem = Find(record.dev);
    // What a program writes to a disk that nobody has mounted is io.error's alone.
    if ((record.flags & FFDC_FS_BLOCKDEV) != 0 && filesystem.points.empty()) return;
    Report report = ReportOf(record);
    report.client = world().client(record.cgroup_id, 0);
    Hear(filesystem, FixedText(record.fs_type), report);
  }

  void OnKernelMessage(const KernelMessage& message) override {
    if (message.facility != 0) return;
    const auto parsed = ParseFsMessage(message.text);
    if (!parsed) return;
    Filesystem filesystem;
    if (const uint32_t dev = world().dev_by_name(parsed->device); dev != 0) {
      filesystem = Find(dev);
    } else {
      filesystem.device = parsed->device;
      filesystem.id = "fs:" + parsed->device + "@" + world().node;
    }
    Report report;
    report.time_ns = message.time_ns;
    report.detail = parsed->detail;
    report.read_only = parsed->read_only;
    Hear(filesystem, parsed->type, report);
  }

  void OnTick(const FailureTotals& /*totals*/) override {
    const uint64_t now = world().clock->MonotonicNs();
    for (auto next = open_.begin(); next != open_.end();) {
      const auto entry = next++;
      v1::Event* event = events_.Find(entry->first);
      if (event == nullptr) {
        open_.erase(entry);
      } else if (entry->second.dev != 0 && now < event->last_mono_ns() + kTurnsReadOnlyNs &&
                 world().filesystem(entry->second.dev).read_only) {
        TurnedReadOnly(*event);
        events_.Publish(entry->first);
      }
    }
    events_.Tick(true);
  }

 private:
  [[nodiscard]] const DetectorWorld& world() const { return events_.world(); }

  // A failing filesystem reports often; its mounts and names are looked up once.
  [[nodiscard]] Filesystem Find(uint32_t dev) const {
    for (const auto& [id, filesystem] : open_) {
      if (filesystem.dev == dev || filesystem.stat_dev == dev) return filesystem;
    }
    return world().filesystem(dev);
  }

  void Hear(const Filesystem& filesystem, const std::string& type, const Report& report) {
    if (filesystem.disk != 0 && !world().watched(filesystem.disk)) return;
    if (events_.Find(filesystem.id) == nullptr && open_.size() >= kMaxOpen) return;
    open_.emplace(filesystem.id, filesystem);
    v1::Event& event = events_.Note(filesystem.id, report.time_ns, 1,
                                    [&](v1::Event& fresh) { Begin(fresh, filesystem, type, report.detail); });
    const auto add = [&event](const char* name, const std::string& value) {
      if (!value.empty() && !HasFact(event, name)) SetFact(event, name, value);
    };
    add("function", report.function);
    add("error", report.error);
    if (report.inode != 0) add("inode", std::to_string(report.inode));
    if (report.read_only) TurnedReadOnly(event);
    if (report.client.type() != "kernel") CountClient(event, report.client);  // a kworker hurts nobody
    events_.Publish(filesystem.id);
  }

  void Begin(v1::Event& event, const Filesystem& filesystem, const std::string& type,
             const std::string& detail) const {
    SetFilesystem(event, world(), filesystem);
    const std::string& known_type = filesystem.type.empty() ? type : filesystem.type;
    if (!known_type.empty()) SetFact(event, "fs_type", known_type);
    SetFact(event, "device", filesystem.device);
    event.set_summary(event.subject().name() + " (" + (known_type.empty() ? "filesystem" : known_type) +
                      " on " + filesystem.device + "): " + detail);
  }

  static bool HasFact(const v1::Event& event, std::string_view name) {
    return std::any_of(event.facts().begin(), event.facts().end(),
                       [&](const v1::Fact& fact) { return fact.name() == name; });
  }

  static void TurnedReadOnly(v1::Event& event) {
    if (HasFact(event, "read_only")) return;
    SetFact(event, "read_only", "true");
    event.set_summary(event.summary() + "; nothing can be written any more");
  }

  OpenEvents events_;
  std::map<std::string, Filesystem> open_;  // with an open event, by id
};

FFDC_REGISTER_DETECTOR("fs.error",
                       [](const DetectorWorld& world, EventSink sink) -> std::unique_ptr<Detector> {
                         return std::make_unique<FsErrorDetector>(world, std::move(sink));
                       });

}  // namespace
}  // namespace ffdc
