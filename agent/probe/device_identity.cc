// SPDX-License-Identifier: Apache-2.0
#include "probe/device_identity.h"

#include <algorithm>

#include "base/block_dev.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr uint32_t kRamMajor = 1;
constexpr uint32_t kFloppyMajor = 2;
constexpr uint32_t kLoopMajor = 7;
constexpr uint32_t kMdMajor = 9;
constexpr uint32_t kCdromMajor = 11;
constexpr uint32_t kNbdMajor = 43;
constexpr std::string_view kScsiTypeRom = "5";

// C0, DEL and C1.
bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  return first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
}

// Drives pad their strings with spaces.
std::string Squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// An all-zero NGUID, EUI-64 or UUID is the drive's way to say that it has none.
bool IsUnset(std::string_view id) {
  const size_t dot = id.find('.');  // "eui.0000000000000000"
  const std::string_view number = dot == std::string_view::npos ? id : id.substr(dot + 1);
  return number.find_first_not_of("0-: ") == std::string_view::npos;
}

std::string ReadType(const fs::path& dir, const std::string& name, uint32_t dev) {
  const uint32_t major = FFDC_DEV_MAJOR(dev);
  if (major == kLoopMajor) return "loop";
  if (major == kRamMajor) return "ram";
  if (major == kFloppyMajor) return "floppy";
  if (major == kNbdMajor) return "nbd";
  if (name.starts_with("zram")) return "zram";
  if (Exists(dir / "dm")) return "dm";
  if (major == kMdMajor || Exists(dir / "md")) return "md";
  const std::string subsystem = LinkName(dir / "device/subsystem");
  if (subsystem == "scsi")
    return major == kCdromMajor || ReadLine(dir / "device/type") == kScsiTypeRom ? "cdrom" : "scsi";
  if (subsystem.starts_with("nvme") || name.starts_with("nvme")) return "nvme";
  if (subsystem == "virtio") return "virtio";
  if (subsystem == "rbd" || name.starts_with("rbd")) return "rbd";
  return major == kCdromMajor ? "cdrom" : "other";
}

// One property of a device from udev's database: a file on a tmpfs.
class UdevProperties {
 public:
  UdevProperties(const DeviceRoots& roots, uint32_t dev)
      : text_("\n" + ReadLine(roots.udev_data / ("b" + FormatDev(dev)))) {}

  [[nodiscard]] std::string Get(std::string_view key) const {
    const std::string start = "\nE:" + std::string(key) + "=";
    const size_t at = text_.find(start);
    if (at == std::string::npos) return {};
    const size_t from = at + start.size();
    return text_.substr(from, text_.find('\n', from) - from);
  }

 private:
  std::string text_;
};

std::string RbdId(const fs::path& dir) {
  const std::string pool = ReadLine(dir / "device/pool");
  const std::string image = ReadLine(dir / "device/name");
  if (pool.empty() || image.empty()) return {};
  const std::string space = ReadLine(dir / "device/pool_ns");
  const std::string snapshot = ReadLine(dir / "device/current_snap");
  std::string id = "rbd:" + pool + "/" + (space.empty() ? "" : space + "/") + image;
  if (!snapshot.empty() && snapshot != "-") id += "@" + snapshot;
  return id;
}

// The kernel writes a UUID with dashes, mdadm in udev's database with colons.
std::string MdId(const fs::path& dir, const DeviceRoots& roots, const std::string& name, uint32_t dev) {
  std::string uuid = ReadLine(dir / "md/uuid");
  if (IsUnset(uuid)) uuid = UdevProperties(roots, dev).Get("MD_UUID");
  std::erase_if(uuid, [](char c) { return c == '-' || c == ':'; });
  return "md:" + (IsUnset(uuid) ? name : uuid);
}

std::string WorldWideId(const fs::path& dir) {
  for (const char* attribute : {"wwid", "device/wwid"}) {
    const std::string id = Squeezed(ReadLine(dir / attribute));
    if (!IsUnset(id)) return "wwid:" + id;
  }
  for (const char* attribute : {"nguid", "uuid"}) {
    const std::string id = ReadLine(dir / attribute);
    if (!IsUnset(id)) return std::string(attribute) + ":" + id;
  }
  return {};
}

std::string WithPrefix(std::string_view prefix, const std::string& value) {
  return value.empty() ? std::string() : std::string(prefix) + value;
}

std::string ReadId(const DeviceRoots& roots, const BlockDevice& device) {
  const fs::path dir = roots.sysfs / "block" / device.name;
  const std::string& type = device.type;
  if (type == "loop") return LoopId(roots, device.name);
  if (type == "dm") return WithPrefix("dm:", ReadLine(dir / "dm/uuid"));
  if (type == "md") return MdId(dir, roots, device.name, device.dev);
  if (type == "zram" || type == "ram") return type + ":" + device.name;
  if (type == "nbd") return WithPrefix("nbd:", ReadLine(dir / "backend"));
  if (type == "rbd") return RbdId(dir);
  return WorldWideId(dir);
}

// A virtio disk's own `serial` attribute asks the device: udev's database, made
// when the disk came, is the place to look.
std::string ReadSerial(const DeviceRoots& roots, const BlockDevice& device) {
  if (device.type == "scsi" || device.type == "nvme" || device.name.starts_with("mmcblk")) {
    std::string serial = Squeezed(ReadLine(roots.sysfs / "block" / device.name / "device/serial"));
    if (!IsUnset(serial)) return serial;
  }
  if (device.type != "scsi" && device.type != "virtio" && device.type != "other") return {};
  const UdevProperties udev(roots, device.dev);
  const std::string serial = udev.Get("ID_SERIAL_SHORT");
  return Squeezed(serial.empty() ? udev.Get("ID_SERIAL") : serial);
}

}  // namespace

DeviceRoots::DeviceRoots(const fs::path& sysfs_root) : sysfs(sysfs_root.lexically_normal()) {
  if (!sysfs.has_filename()) sysfs = sysfs.parent_path();
  procfs = sysfs.parent_path() / "proc";
  udev_data = sysfs.parent_path() / "run/udev/data";
}

std::string UdevProperty(const DeviceRoots& roots, uint32_t dev, std::string_view key) {
  return UdevProperties(roots, dev).Get(key);
}

std::string PrintableUtf8(std::string_view bytes) { return EscapeBytes(bytes, IsControl); }

void HiddenDisks::Load() {
  if (loaded_) return;
  loaded_ = true;
  const auto text = ReadFile(roots_.procfs / "diskstats");
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = NextLine(rest);
    std::string number(NextWord(line));
    number.append(":").append(NextWord(line));
    if (const auto dev = ParseDev(number)) devs_.emplace(NextWord(line), *dev);
  }
}

std::optional<uint32_t> HiddenDisks::DevOf(const std::string& name) {
  Load();
  const auto found = devs_.find(name);
  if (found == devs_.end()) return std::nullopt;
  return found->second;
}

std::string HiddenDisks::NameOf(uint32_t dev) {
  Load();
  const auto found =
      std::find_if(devs_.begin(), devs_.end(), [dev](const auto& entry) { return entry.second == dev; });
  return found == devs_.end() ? "" : found->first;
}

std::string LoopId(const DeviceRoots& roots, const std::string& name) {
  constexpr std::string_view kDeleted = " (deleted)";  // the kernel's note; the device is still the same
  std::string path = ReadLine(roots.sysfs / "block" / name / "loop/backing_file");
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path.empty() ? "" : PrintableUtf8(std::string(kLoopIdPrefix) + path);
}

std::optional<BlockDevice> ReadDevice(const DeviceRoots& roots, const std::string& name,
                                      HiddenDisks& hidden) {
  const fs::path dir = roots.sysfs / "block" / name;
  auto dev = ParseDev(ReadLine(dir / "dev"));
  if (!dev && ReadLine(dir / "hidden") == "1") dev = hidden.DevOf(name);
  if (!dev) return std::nullopt;

  BlockDevice device;
  device.dev = *dev;
  device.name = name;
  device.type = ReadType(dir, name, *dev);
  device.bio_based = !Exists(dir / "mq");
  const std::string serial = ReadSerial(roots, device);
  std::string id = ReadId(roots, device);
  if (id.empty()) id = WithPrefix("serial:", serial);
  if (id.empty()) id = "dev:" + FormatDev(*dev);

  std::string model = Squeezed(ReadLine(dir / "device/model"));
  if (device.type == "scsi" || device.type == "cdrom")
    model = Squeezed(ReadLine(dir / "device/vendor") + " " + model);
  device.subject.set_type("block_device");
  device.subject.set_id(PrintableUtf8(id));
  device.subject.set_name(PrintableUtf8(name));
  device.subject.set_model(PrintableUtf8(model));
  device.subject.set_serial(PrintableUtf8(serial));
  return device;
}

}  // namespace ffdc
