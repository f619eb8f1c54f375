// SPDX-License-Identifier: Apache-2.0
// Nothing read here may wait for a device (it may be the one that hangs):
//  - identity: SCSI wwid, model, vendor and serial are copies that the kernel
//    made when it found the disk (never the vpd_* files, never a rescan); NVMe
//    ids and strings lie in its namespace and subsystem structures; dm, md, nbd,
//    rbd and loop names are theirs (rbd's size and features are not read: they
//    wait for a refresh from the cluster). A virtio disk's `serial` is a command
//    sent to the device, so it is taken from udev's database instead.
//  - dev, hidden, removable, holders, partitions, the `mq` folder: kernfs only.
//  - queue/iostats takes the queue's sysfs lock, which a change of the I/O
//    scheduler keeps while it waits for requests. It is read once, when a disk is
//    first seen, not when it fails.
//  - udev's database, mountinfo, diskstats: tmpfs and procfs.
#include "probe/devices.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/block_dev.h"
#include "base/fs.h"
#include "probe/device_identity.h"
#include "probe/device_related.h"
#include "probe/device_users.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

class Inventory final : public DeviceInventory {
 public:
  Inventory(const fs::path& sysfs, DeviceFilter filter, ChangeSink sink)
      : roots_(sysfs), filter_(std::move(filter)), sink_(std::move(sink)), mounts_(roots_) {}

  Result<> Start() {
    std::error_code failed;
    const fs::directory_iterator readable(roots_.sysfs / "block", failed);
    if (failed) return FailErrno("cannot list block devices in " + roots_.sysfs.string(), failed.value());
    Rescan();
    return {};
  }

  void OnUevent(const Uevent& event) override;
  void Rescan() override;
  const BlockDevice* Find(uint32_t dev) override;
  const BlockDevice* FindByName(const std::string& name) override;
  v1::Subject SubjectOf(uint32_t dev) override;
  [[nodiscard]] std::vector<const BlockDevice*> All() const override;
  [[nodiscard]] std::string NameOf(uint32_t dev) const override;
  Result<const BlockDevice*> SetOverride(const std::string& name, bool watch) override;
  std::vector<std::string> RelatedTo(uint32_t dev) override;
  std::vector<std::string> BelowOf(uint32_t dev) override;
  [[nodiscard]] uint32_t WholeDisk(uint32_t dev) const override;

 private:
  struct Entry {
    BlockDevice device;
    bool overridden = false;
  };

  void Refresh(const std::string& name, HiddenDisks& hidden);
  void Put(BlockDevice fresh);
  void Decide(Entry& entry) const;
  void Remove(uint32_t dev);
  [[nodiscard]] bool LoopChanged(const BlockDevice& device) const;
  std::vector<std::string> IdsOf(const std::vector<std::string>& names);

  const DeviceRoots roots_;
  const DeviceFilter filter_;
  const ChangeSink sink_;
  MountTable mounts_;
  std::map<uint32_t, std::unique_ptr<Entry>> entries_;
  std::unordered_map<std::string, uint32_t> dev_by_name_;
};

void Inventory::OnUevent(const Uevent& event) {
  if (event.subsystem != "block" || event.devtype != "disk") return;
  const std::string name = fs::path(event.devpath).filename().string();
  if (event.action == "remove") {
    if (const auto known = dev_by_name_.find(name); known != dev_by_name_.end()) Remove(known->second);
    return;
  }
  HiddenDisks hidden(roots_);
  Refresh(name, hidden);
}

void Inventory::Rescan() {
  std::unordered_set<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(roots_.sysfs / "block", failed), end; !failed && it != end;
       it.increment(failed))
    names.insert(it->path().filename().string());
  if (failed) return;  // half a list would remove what is still there

  std::vector<uint32_t> gone;
  for (const auto& [name, dev] : dev_by_name_)
    if (!names.contains(name)) gone.push_back(dev);
  for (const uint32_t dev : gone) Remove(dev);
  HiddenDisks hidden(roots_);
  for (const std::string& name : names) Refresh(name, hidden);
}

void Inventory::Refresh(const std::string& name, HiddenDisks& hidden) {
  if (name.starts_with('.') || name.find('/') != std::string::npos) return;  // a person may have typed it
  auto found = ReadDevice(roots_, name, hidden);
  const auto known = dev_by_name_.find(name);
  if (known != dev_by_name_.end() && (!found || found->dev != known->second)) Remove(known->second);
  if (!found) return;
  if (const auto old = entries_.find(found->dev); old != entries_.end() && old->second->device.name != name)
    Remove(found->dev);  // the number went to another disk
  Put(std::move(*found));
}

void Inventory::Put(BlockDevice fresh) {
  auto& slot = entries_[fresh.dev];
  const bool is_new = slot == nullptr;
  if (is_new) {
    slot = std::make_unique<Entry>();
    dev_by_name_[fresh.name] = fresh.dev;
    fresh.iostats = ReadLine(roots_.sysfs / "block" / fresh.name / "queue/iostats") != "0";
  } else {
    fresh.iostats = slot->device.iostats;
  }
  Entry& entry = *slot;
  const BlockDevice before = std::exchange(entry.device, std::move(fresh));
  Decide(entry);
  const BlockDevice& now = entry.device;
  if (is_new || before.watched != now.watched || before.bio_based != now.bio_based ||
      before.type != now.type || before.subject.id() != now.subject.id())
    sink_({&now, false});
}

void Inventory::Decide(Entry& entry) const {
  BlockDevice& device = entry.device;
  ApplyFilter(filter_, device);
  if (device.watched && device.type == "loop" && !device.subject.id().starts_with(kLoopIdPrefix)) {
    device.watched = false;
    device.reason = "no backing file";
  }
  if (entry.overridden) {
    device.watched = true;
    device.reason.clear();
  }
}

void Inventory::Remove(uint32_t dev) {
  const auto found = entries_.find(dev);
  if (found == entries_.end()) return;
  const std::unique_ptr<Entry> entry = std::move(found->second);
  entries_.erase(found);
  dev_by_name_.erase(entry->device.name);
  sink_({&entry->device, true});
}

// A loop device gets its file between its first sight and its failure, and the
// uevent that says so may still wait to be read. One without a file keeps the last
// until its uevent is read: that file's failure may be what is asked about.
bool Inventory::LoopChanged(const BlockDevice& device) const {
  if (device.type != "loop") return false;
  const std::string id = LoopId(roots_, device.name);
  return !id.empty() && id != device.subject.id();
}

const BlockDevice* Inventory::Find(uint32_t dev) {
  auto found = entries_.find(dev);
  if (found == entries_.end()) {
    HiddenDisks hidden(roots_);
    std::error_code unlisted;
    const fs::path link = fs::read_symlink(roots_.sysfs / "dev/block" / FormatDev(dev), unlisted);
    Refresh(unlisted ? hidden.NameOf(dev) : link.filename().string(), hidden);
    found = entries_.find(dev);
    if (found == entries_.end()) return nullptr;
  } else if (LoopChanged(found->second->device)) {
    HiddenDisks hidden(roots_);
    Refresh(std::string(found->second->device.name), hidden);
    found = entries_.find(dev);
    if (found == entries_.end()) return nullptr;
  }
  return &found->second->device;
}

const BlockDevice* Inventory::FindByName(const std::string& name) {
  auto known = dev_by_name_.find(name);
  if (known == dev_by_name_.end()) {
    HiddenDisks hidden(roots_);
    Refresh(name, hidden);
    known = dev_by_name_.find(name);
    if (known == dev_by_name_.end()) return nullptr;
  }
  return Find(known->second);
}

v1::Subject Inventory::SubjectOf(uint32_t dev) {
  v1::Subject subject;
  if (const BlockDevice* device = Find(dev)) {
    subject = device->subject;
    for (std::string& user : ReadUsers(roots_, device->name, mounts_)) subject.add_used_by(std::move(user));
  } else {
    subject.set_type("block_device");
    subject.set_name(FormatDev(dev));
    subject.set_id("dev:" + subject.name());
  }
  return subject;
}

std::vector<const BlockDevice*> Inventory::All() const {
  std::vector<const BlockDevice*> all;
  all.reserve(entries_.size());
  for (const auto& [dev, entry] : entries_) all.push_back(&entry->device);
  return all;
}

std::string Inventory::NameOf(uint32_t dev) const {
  if (const auto found = entries_.find(dev); found != entries_.end()) return found->second->device.name;
  std::error_code unlisted;
  const fs::path link = fs::read_symlink(roots_.sysfs / "dev/block" / FormatDev(dev), unlisted);
  return unlisted ? FormatDev(dev) : PrintableUtf8(link.filename().string());
}

std::vector<std::string> Inventory::IdsOf(const std::vector<std::string>& names) {
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    if (const BlockDevice* device = FindByName(name)) ids.push_back(device->subject.id());
  }
  return ids;
}

std::vector<std::string> Inventory::RelatedTo(uint32_t dev) {
  const BlockDevice* device = Find(dev);
  if (device == nullptr) return {};
  const RelatedDisks related = ReadRelated(roots_, device->name, mounts_);
  std::vector<std::string> ids = IdsOf(related.disks);
  for (const std::string& point : related.mounts) ids.push_back("mount:" + point);
  return ids;
}

std::vector<std::string> Inventory::BelowOf(uint32_t dev) {
  const BlockDevice* device = Find(dev);
  if (device == nullptr) return {};
  return IdsOf(ReadBelow(roots_, device->name));
}

uint32_t Inventory::WholeDisk(uint32_t dev) const {
  if (entries_.contains(dev)) return dev;
  // A partition's link leads to .../block/<disk>/<partition>.
  std::error_code unlisted;
  const fs::path link = fs::read_symlink(roots_.sysfs / "dev/block" / FormatDev(dev), unlisted);
  if (unlisted) return dev;
  const auto disk = dev_by_name_.find(link.parent_path().filename().string());
  return disk == dev_by_name_.end() ? dev : disk->second;
}

Result<const BlockDevice*> Inventory::SetOverride(const std::string& name, bool watch) {
  const BlockDevice* found = FindByName(name);
  if (found == nullptr)
    return Fail("cannot watch " + name + ": no such disk in " + (roots_.sysfs / "block").string() +
                    "; name a whole disk as the kernel does (lsblk -d)",
                ENODEV);
  Entry& entry = *entries_.at(found->dev);
  const bool before = entry.device.watched;
  entry.overridden = watch;
  Decide(entry);
  if (entry.device.watched != before) sink_({&entry.device, false});
  return found;
}

}  // namespace

Result<std::unique_ptr<DeviceInventory>> DeviceInventory::Open(const fs::path& sysfs, DeviceFilter filter,
                                                               ChangeSink sink) {
  auto inventory = std::make_unique<Inventory>(sysfs, std::move(filter), std::move(sink));
  FFDC_TRY(inventory->Start());
  return std::unique_ptr<DeviceInventory>(std::move(inventory));
}

}  // namespace ffdc
