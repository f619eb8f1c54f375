// SPDX-License-Identifier: Apache-2.0
// io-cgroups.jsonl: what each control group read and wrote, by device.
#include <system_error>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/text.h"
#include "capture/process_io.h"

namespace ffdc {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxCgroups = 20'000;
constexpr int kMaxCgroupDepth = 32;

// Has "blkio" among the options of a cgroup v1 mount.
bool HasBlkio(const Mount& mount) {
  return ("," + mount.super_options + ",").find(",blkio,") != std::string::npos;
}

void AddDeviceName(std::string_view dev, DeviceNames& names, JsonLine& line) {
  if (const auto number = ParseDev(dev)) line.Field("device", names.Name(*number));
}

class CgroupWalk {
 public:
  CgroupWalk(CaptureFile& file, DeviceNames& names) : file_(file), names_(names) {}

  // False: the file is full.
  bool V2(const fs::path& folder, const std::string& name, int depth) {
    line_.Begin();
    line_.Field("cgroup", name);
    line_.Field("version", 2);
    if (AddIoStat(ReadLine(folder / "io.stat"), names_, line_)) {
      if (const std::string pressure = ReadLine(folder / "io.pressure"); !pressure.empty()) {
        line_.Field("io_pressure", pressure);
      }
      if (!file_.Write(line_.End())) return false;
    }
    return Below(folder, name, depth, &CgroupWalk::V2);
  }
  bool V1(const fs::path& folder, const std::string& name, int depth) {
    line_.Begin();
    line_.Field("cgroup", name);
    line_.Field("version", 1);
    const bool any_ios = AddBlkioStat("ios", ReadLine(folder / "blkio.throttle.io_serviced"), names_, line_);
    const bool any_bytes =
        AddBlkioStat("bytes", ReadLine(folder / "blkio.throttle.io_service_bytes"), names_, line_);
    if ((any_ios || any_bytes) && !file_.Write(line_.End())) return false;
    return Below(folder, name, depth, &CgroupWalk::V1);
  }
  [[nodiscard]] uint64_t left_out() const { return left_out_; }

 private:
  bool Below(const fs::path& folder, const std::string& name, int depth,
             bool (CgroupWalk::*visit)(const fs::path&, const std::string&, int)) {
    for (const std::string& entry : FolderEntries(folder)) {
      std::error_code error;
      if (!fs::is_directory(fs::symlink_status(folder / entry, error)) || error) continue;
      if (++seen_ > kMaxCgroups || depth >= kMaxCgroupDepth) {
        ++left_out_;
        continue;
      }
      if (!(this->*visit)(folder / entry, (name == "/" ? "" : name) + "/" + entry, depth + 1)) return false;
    }
    return true;
  }

  CaptureFile& file_;
  DeviceNames& names_;
  JsonLine line_;
  size_t seen_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace

bool AddIoStat(std::string_view text, DeviceNames& names, JsonLine& line) {
  bool any = false;
  while (!text.empty()) {
    std::string_view rest = NextLine(text);
    const std::string_view dev = NextWord(rest);
    if (dev.empty()) continue;
    // Devices that were never used stand there with nothing behind them.
    std::string_view pair = NextWord(rest);
    if (pair.empty()) continue;
    if (!any) line.BeginObject("io");
    any = true;
    line.BeginObject(dev);
    AddDeviceName(dev, names, line);
    for (; !pair.empty(); pair = NextWord(rest)) {
      const size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const auto value = ParseNumber<uint64_t>(pair.substr(equals + 1));
      if (value) {
        line.Field(pair.substr(0, equals), *value);
      } else {
        line.Field(pair.substr(0, equals), pair.substr(equals + 1));
      }
    }
    line.EndObject();
  }
  if (any) line.EndObject();
  return any;
}

bool AddBlkioStat(std::string_view field, std::string_view text, DeviceNames& names, JsonLine& line) {
  std::string_view open;  // the device whose object is open
  while (!text.empty()) {
    std::string_view rest = NextLine(text);
    const std::string_view dev = NextWord(rest);
    const std::string_view op = NextWord(rest);
    const auto value = ParseNumber<uint64_t>(NextWord(rest));
    // The last line, "Total 12", has no device.
    if (dev.find(':') == std::string_view::npos || !value || *value == 0) continue;
    if (open.empty()) line.BeginObject(field);
    if (dev != open) {
      if (!open.empty()) line.EndObject();
      line.BeginObject(dev);
      AddDeviceName(dev, names, line);
      open = dev;
    }
    line.Field(op, *value);
  }
  if (open.empty()) return false;
  line.EndObject();
  line.EndObject();
  return true;
}

Result<> CollectIoCgroups(CollectContext& context, const KernelRoots& roots) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("io-cgroups.jsonl"));
  auto mounts = ReadMounts(roots.proc);
  if (!mounts) {
    AddNote(context, "io_processes.cgroups", "no I/O of control groups: " + mounts.error().message);
    return {};
  }
  DeviceNames names(roots.sys);
  CgroupWalk walk(*file, names);
  bool found = false;
  for (const Mount& mount : mounts->mounts) {
    if (mount.type == "cgroup2") {
      found = true;
      if (!walk.V2(mount.point, "/", 0)) break;
    } else if (mount.type == "cgroup" && HasBlkio(mount)) {
      found = true;
      if (!walk.V1(mount.point, "/", 0)) break;
    }
  }
  if (!found) {
    AddNote(context, "io_processes.cgroups",
            "no I/O of control groups: neither cgroup v2 nor the blkio controller of v1 is mounted");
  }
  if (walk.left_out() > 0) {
    context.AddLoss(
        "io_processes.cgroups_left_out", walk.left_out(),
        "control groups after the first " + std::to_string(kMaxCgroups) + ", with all below them");
  }
  return file->Close();
}

}  // namespace ffdc
