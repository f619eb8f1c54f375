// SPDX-License-Identifier: Apache-2.0
// block_state: what sysfs and debugfs say about the subject and its whole stack.
#include <array>
#include <cerrno>
#include <chrono>

#include "base/fs.h"
#include "base/json_line.h"
#include "base/text.h"
#include "capture/block_stack.h"
#include "capture/collector.h"
#include "capture/text.h"

namespace ffdc {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxAttributeBytes = 64u << 10;

// Of the device itself; whole folders are taken below.
constexpr std::array kDiskAttributes{"size",
                                     "ro",
                                     "removable",
                                     "hidden",
                                     "partition",
                                     "start",
                                     "diskseq",
                                     "cache_type",
                                     "serial",
                                     "wwid",
                                     "uuid",
                                     "nguid",
                                     "eui",
                                     "nsid",
                                     "ana_state",
                                     "ana_grpid",
                                     "queue_depth",
                                     "numa_nodes",
                                     "pid",
                                     "discard_alignment",
                                     "alignment_offset",
                                     "events"};
// Of the SCSI, NVMe or virtio device behind it.
constexpr std::array kDeviceAttributes{"state",
                                       "device_blocked",
                                       "access_state",
                                       "preferred_path",
                                       "model",
                                       "vendor",
                                       "rev",
                                       "firmware_rev",
                                       "serial",
                                       "wwid",
                                       "timeout",
                                       "eh_timeout",
                                       "queue_depth",
                                       "queue_type",
                                       "ioerr_cnt",
                                       "iodone_cnt",
                                       "iorequest_cnt",
                                       "iotmo_cnt",
                                       "type",
                                       "scsi_level",
                                       "transport",
                                       "address",
                                       "cntlid",
                                       "subsysnqn",
                                       "queue_count",
                                       "sqsize",
                                       "kato",
                                       "iopolicy",
                                       "ctrl_loss_tmo",
                                       "reconnect_delay",
                                       "fast_io_fail_tmo",
                                       "numa_node",
                                       "status"};
struct StateFolder {
  const char* name;
  int depth;
};
constexpr std::array kStateFolders{StateFolder{"queue", 2}, StateFolder{"mq", 2}, StateFolder{"dm", 1},
                                   StateFolder{"md", 2}, StateFolder{"loop", 1}};
// Documentation/block/stat.rst
constexpr std::array kStatFields{"read_ios",       "read_merges",     "read_sectors",     "read_ticks_ms",
                                 "write_ios",      "write_merges",    "write_sectors",    "write_ticks_ms",
                                 "in_flight",      "io_ticks_ms",     "time_in_queue_ms", "discard_ios",
                                 "discard_merges", "discard_sectors", "discard_ticks_ms", "flush_ios",
                                 "flush_ticks_ms"};

// Attributes that a driver has no value for answer with one of these.
bool IsAbsent(int code) {
  return code == ENOENT || code == EACCES || code == EPERM || code == EINVAL || code == EOPNOTSUPP ||
         code == ENODATA || code == ENOTTY || code == EISDIR;
}

// Reads attributes into the object "attributes" of a line; what cannot be read for a reason that tells
// something ("No such device") goes into "errors".
class AttributeReader {
 public:
  explicit AttributeReader(JsonLine& line) : line_(line) {}

  void File(const fs::path& path, const std::string& name) {
    auto value = ReadFile(path, kMaxAttributeBytes);
    if (!value) {
      if (!IsAbsent(value.error().code)) errors_.emplace_back(name, value.error().message);
      return;
    }
    if (value->size() == kMaxAttributeBytes) ++cut_;
    const std::string_view text = Trim(*value);
    if (!text.empty()) line_.Field(name, text);
  }
  void Folder(const fs::path& folder, const std::string& prefix, int depth) {
    for (const std::string& name : FolderEntries(folder)) {
      std::error_code error;
      const auto status = fs::symlink_status(folder / name, error);
      if (error) continue;
      if (fs::is_regular_file(status)) File(folder / name, prefix + name);
      if (fs::is_directory(status) && depth > 1) Folder(folder / name, prefix + name + "/", depth - 1);
    }
  }
  void Errors() {
    if (errors_.empty()) return;
    line_.BeginObject("errors");
    for (const auto& [name, message] : errors_) line_.Field(name, message);
    line_.EndObject();
  }
  [[nodiscard]] uint64_t cut() const { return cut_; }

 private:
  JsonLine& line_;
  std::vector<std::pair<std::string, std::string>> errors_;
  uint64_t cut_ = 0;
};

void AddStat(const BlockNode& node, JsonLine& line) {
  const std::string text = ReadLine(node.folder / "stat");
  std::string_view rest = text;
  if (text.empty()) return;
  line.BeginObject("stat");
  for (const char* field : kStatFields) {
    const auto value = ParseNumber<uint64_t>(NextWord(rest));
    if (!value) break;  // older kernels have fewer
    line.Field(field, *value);
  }
  line.EndObject();
}

// "reads writes", issued to the driver and not back: the number that says a device hangs.
void AddInflight(const BlockNode& node, JsonLine& line) {
  const std::string text = ReadLine(node.folder / "inflight");
  std::string_view rest = text;
  const auto reads = ParseNumber<uint64_t>(NextWord(rest));
  const auto writes = ParseNumber<uint64_t>(NextWord(rest));
  if (!reads || !writes) return;
  line.Field("inflight_reads", *reads);
  line.Field("inflight_writes", *writes);
}

void AddNames(JsonLine& line, std::string_view field, const std::vector<std::string>& names) {
  line.BeginArray(field);
  for (const std::string& name : names) line.Item(name);
  line.EndArray();
}

void BeginLine(const BlockNode& node, const char* source, JsonLine& line) {
  line.Begin();
  line.Field("device", node.name);
  line.Field("dev", node.dev);
  if (!node.relation.empty()) line.Field("relation", node.relation);
  line.Field("source", source);
}

// Attributes that were too long.
uint64_t FormatSysfs(const BlockNode& node, JsonLine& line) {
  BeginLine(node, "sysfs", line);
  line.Field("type", BlockType(node));
  AddNames(line, "below", node.below);
  AddNames(line, "above", node.above);
  AddInflight(node, line);
  AddStat(node, line);
  AttributeReader reader(line);
  line.BeginObject("attributes");
  for (const char* name : kDiskAttributes) reader.File(node.folder / name, name);
  for (const char* name : kDeviceAttributes) {
    reader.File(node.folder / "device" / name, std::string("device/") + name);
  }
  for (const StateFolder& folder : kStateFolders) {
    reader.Folder(node.folder / folder.name, std::string(folder.name) + "/", folder.depth);
  }
  line.EndObject();
  reader.Errors();
  return reader.cut();
}

uint64_t FormatDebugfs(const BlockNode& node, const fs::path& folder, JsonLine& line) {
  BeginLine(node, "debugfs", line);
  AttributeReader reader(line);
  line.BeginObject("attributes");
  reader.Folder(folder, "", 3);
  line.EndObject();
  reader.Errors();
  return reader.cut();
}

// The folder "block" of debugfs; empty: there is none, and the note says why.
fs::path FindDebugfs(CollectContext& context, const MountList& mounts) {
  for (const Mount& mount : mounts.mounts) {
    if (mount.type != "debugfs") continue;
    std::error_code error;
    fs::path folder = fs::path(mount.point) / "block";
    if (fs::is_directory(folder, error)) return folder;
    AddNote(
        context, "block_state.debugfs",
        "no states of hardware queues: " + folder.string() + " cannot be read" +
            (error ? " (" + error.message() + ")" : " (the kernel is built without CONFIG_BLK_DEBUG_FS)"));
    return {};
  }
  AddNote(context, "block_state.debugfs",
          "no states of hardware queues: debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)");
  return {};
}

void WriteStates(CollectContext& context, const BlockStack& stack, const fs::path& debugfs,
                 CaptureFile& file) {
  JsonLine line;
  uint64_t cut = 0;
  // First what is quick to read for every device, then debugfs: a file that hangs
  // takes only what comes after it.
  for (const BlockNode& node : stack.nodes) {
    file.Flush();
    cut += FormatSysfs(node, line);
    if (!file.Write(line.End())) break;
  }
  for (const BlockNode& node : stack.nodes) {
    std::error_code error;
    if (debugfs.empty() || !fs::is_directory(debugfs / node.name, error)) continue;
    file.Flush();
    cut += FormatDebugfs(node, debugfs / node.name, line);
    if (!file.Write(line.End())) break;
  }
  if (cut > 0) {
    context.AddLoss("block_state.attributes_cut", cut,
                    "attributes longer than " + HumanBytes(kMaxAttributeBytes) + " were cut there");
  }
}

Result<> CollectorBlockState(CollectContext& context) { return CollectBlockState(context, {}); }
FFDC_REGISTER_COLLECTOR("block_state", std::chrono::seconds(5), CollectorBlockState);

}  // namespace

Result<> CollectBlockState(CollectContext& context, const KernelRoots& roots) {
  const v1::CaptureJob& job = context.job();
  MountList mounts;
  if (auto table = ReadMounts(roots.proc)) {
    mounts = std::move(*table);
  } else {
    context.AddLoss("block_state.mounts", 1, table.error().message);
  }
  std::string subject;
  if (job.subject_dev() != 0) {
    subject = NameOfDevice(roots, job.subject_dev());
    if (subject.empty()) {
      subject = job.subject_name().empty() ? "(unknown)" : job.subject_name();
      context.AddLoss("block_state.device_gone", 1,
                      "the device " + subject + " is not in sysfs any more; its stack cannot be told");
    }
  }

  FFDC_ASSIGN(CaptureFile * tree, context.Create("device-stack.txt"));
  const BlockStack stack = FindBlockStack(roots, mounts, subject);
  tree->Write(FormatBlockTree(roots, stack, mounts));
  FFDC_TRY(tree->Close());
  if (!stack.left_out.empty()) {
    context.AddLoss("block_state.devices_left_out", stack.left_out.size(),
                    "devices far from the subject, the first of them " + stack.left_out.front());
  }
  FFDC_ASSIGN(CaptureFile * file, context.Create("block-state.jsonl"));
  WriteStates(context, stack, FindDebugfs(context, mounts), *file);
  if (stack.nodes.empty()) return Fail("no block device is in " + (roots.sys / "class/block").string());
  return {};
}

}  // namespace ffdc
