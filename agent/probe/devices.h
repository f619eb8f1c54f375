// SPDX-License-Identifier: Apache-2.0
// Which block devices there are, what they are called everywhere, and which of
// them the configuration wants watched. Reads sysfs, and is told of uevents.
// All calls from the agent's loop thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/observations.h"
#include "base/result.h"
#include "ffdc/v1/incident.pb.h"

namespace ffdc {

struct BlockDevice {
  uint32_t dev = 0;  // whole disk, major << 20 | minor
  std::string name;  // "sda", as in <sysfs>/block (a '/' of the kernel's name is a '!' there)
  std::string
      type;  // "scsi" "nvme" "virtio" "dm" "md" "loop" "ram" "zram" "nbd" "rbd" "cdrom" "floppy" "other"
  v1::Subject subject;     // identity, see docs/events.md; without used_by
  bool bio_based = false;  // has no request queue of its own (dm, md, NVMe multipath head, zram)
  bool iostats = true;     // false: the kernel does not time its requests
  bool watched = false;
  std::string reason;  // why it is not watched
};

// include/exclude: names ("sda", "/dev/sda"), globs of names ("nvme*"), types ("type:loop" or just
// "loop"), or identities ("wwid:..."; matched with and without their prefix; a glob when written
// with it). A device is watched unless exclude matches it, or include is not empty and does not
// match it. With an empty include, and unless include matches them, ram, zram and loop devices are
// left out.
struct DeviceFilter {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};
// Decides device.watched and device.reason. Pure.
void ApplyFilter(const DeviceFilter& filter, BlockDevice& device);

class DeviceInventory {
 public:
  struct Change {
    const BlockDevice* device = nullptr;
    bool removed = false;
  };
  using ChangeSink = std::function<void(const Change&)>;

  // sysfs: "/sys", another root in tests. Mounts and the udev database are read
  // from proc/self/mountinfo and run/udev/data beside it. The sink hears of every disk there is
  // before Open() returns, later of those that are new, gone, or no longer what they were.
  static Result<std::unique_ptr<DeviceInventory>> Open(const std::filesystem::path& sysfs,
                                                       DeviceFilter filter, ChangeSink sink);
  virtual ~DeviceInventory() = default;

  // A disk came, went or changed; others' uevents are left alone.
  virtual void OnUevent(const Uevent& event) = 0;
  virtual void Rescan() = 0;  // where uevents were lost
  // nullptr: gone or never seen. Reads sysfs again where the device is unknown, or a loop device
  // whose backing file changed. A pointer lives until its device is removed.
  virtual const BlockDevice* Find(uint32_t dev) = 0;
  virtual const BlockDevice* FindByName(const std::string& name) = 0;
  // Whose failure it is, as Find() knows it, and who uses it now. The only call that walks
  // partitions, holders and mounts: used_by is empty in a BlockDevice. A device that is gone is
  // known by its number alone.
  virtual v1::Subject SubjectOf(uint32_t dev) = 0;
  [[nodiscard]] virtual std::vector<const BlockDevice*> All() const = 0;
  // The kernel's name of a disk or a partition ("sda1"); "8:1" where it has none any more.
  [[nodiscard]] virtual std::string NameOf(uint32_t dev) const = 0;
  // true: watches `name` whatever the filter says, until the device goes away or false is set.
  virtual Result<const BlockDevice*> SetOverride(const std::string& name, bool watch) = 0;
  // Identities of the disks below and above it and "mount:<point>" of what is mounted from
  // them, without its own: what fails when it does, or makes it fail.
  virtual std::vector<std::string> RelatedTo(uint32_t dev) = 0;
  // Of these, the identities of the disks below it.
  virtual std::vector<std::string> BelowOf(uint32_t dev) = 0;
  // The whole disk of a disk or partition; itself where nothing is known.
  [[nodiscard]] virtual uint32_t WholeDisk(uint32_t dev) const = 0;
};

}  // namespace ffdc
