// SPDX-License-Identifier: Apache-2.0
#include "probe/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>

#include "fakes/loop_device.h"
#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "ffdc/abi/block.h"
#include "probe/uevents.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DevicesTest : public ::testing::Test {
 protected:
  DevicesTest() : tree_(dir_.path()) {}

  void Open(const DeviceFilter& filter = {}) {
    changes_.clear();
    auto opened = DeviceInventory::Open(tree_.sysfs(), filter, [this](const DeviceInventory::Change& change) {
      changes_.push_back((change.removed ? "-" : change.device->watched ? "+" : "?") + change.device->name);
    });
    ASSERT_TRUE(opened) << opened.error().message;
    inventory_ = std::move(*opened);
  }

  std::string IdOf(const std::string& name) {
    const BlockDevice* device = inventory_->FindByName(name);
    return device == nullptr ? "(none)" : device->subject.id();
  }
  std::string TypeOf(const std::string& name) {
    const BlockDevice* device = inventory_->FindByName(name);
    return device == nullptr ? "(none)" : device->type;
  }
  std::vector<std::string> UsersOf(const std::string& name) {
    const BlockDevice* device = inventory_->FindByName(name);
    if (device == nullptr) return {"(none)"};
    const v1::Subject subject = inventory_->SubjectOf(device->dev);
    return {subject.used_by().begin(), subject.used_by().end()};
  }

  TempDir dir_{TempDir::MemoryParent()};
  fakes::SysfsTree tree_;
  std::vector<std::string> changes_;
  std::unique_ptr<DeviceInventory> inventory_;
};

TEST_F(DevicesTest, ScsiDiskIsKnownByItsWwid) {
  tree_.AddDisk("sda", "8:0",
                {{"device/wwid", "naa.5000c500a1b2c3d4"},
                 {"device/vendor", "SEAGATE "},
                 {"device/model", "ST4000NM0023    "},
                 {"device/serial", "Z1Z2"},
                 {"device/type", "0"},
                 {"queue/iostats", "1"}});
  tree_.SetSubsystem("sda", "scsi");
  Open();
  const BlockDevice* sda = inventory_->Find(Dev(8, 0));
  ASSERT_NE(sda, nullptr);
  EXPECT_EQ(sda->dev, Dev(8, 0));
  EXPECT_EQ(sda->name, "sda");
  EXPECT_EQ(sda->type, "scsi");
  EXPECT_EQ(sda->subject.type(), "block_device");
  EXPECT_EQ(sda->subject.id(), "wwid:naa.5000c500a1b2c3d4");
  EXPECT_EQ(sda->subject.name(), "sda");
  EXPECT_EQ(sda->subject.model(), "SEAGATE ST4000NM0023");
  EXPECT_EQ(sda->subject.serial(), "Z1Z2");
  EXPECT_FALSE(sda->bio_based);
  EXPECT_TRUE(sda->iostats);
  EXPECT_TRUE(sda->watched);
}

TEST_F(DevicesTest, IdentityFallsBackStepByStep) {
  tree_.AddDisk("sdb", "8:16", {{"device/wwid", "t10.ATA     QEMU HARDDISK      QM00001   "}});
  tree_.SetSubsystem("sdb", "scsi");
  tree_.AddDisk("sdc", "8:32", {{"device/wwid", ""}, {"device/serial", "  S3R14L "}});
  tree_.SetSubsystem("sdc", "scsi");
  tree_.AddDisk("sdd", "8:48");
  tree_.SetSubsystem("sdd", "scsi");
  tree_.Write("run/udev/data/b8:48", "S:disk/by-id/x\nE:ID_SERIAL=QEMU_S9\nE:ID_SERIAL_SHORT=S9\n");
  tree_.AddDisk("sde", "8:64");
  tree_.SetSubsystem("sde", "scsi");
  Open();
  EXPECT_EQ(IdOf("sdb"), "wwid:t10.ATA QEMU HARDDISK QM00001");
  EXPECT_EQ(IdOf("sdc"), "serial:S3R14L");
  EXPECT_EQ(IdOf("sdd"), "serial:S9");
  EXPECT_EQ(IdOf("sde"), "dev:8:64");
}

TEST_F(DevicesTest, NvmeIsKnownByItsNamespace) {
  tree_.AddDisk("nvme0n1", "259:0",
                {{"wwid", "eui.0025385b71b0ab01"}, {"device/model", "Samsung"}, {"device/serial", "S466NX"}});
  tree_.SetSubsystem("nvme0n1", "nvme");
  tree_.AddDisk("nvme1n1", "259:1",
                {{"wwid", "eui.0000000000000000"}, {"nguid", "ace42e00-1a2b-3c4d-0000-000000000001"}});
  tree_.AddDisk("nvme2n1", "259:2", {{"nguid", "00000000-0000-0000-0000-000000000000"}, {"uuid", "6f4e-1"}});
  tree_.AddDisk("nvme3n1", "259:3", {{"device/serial", "S5"}});
  Open();
  EXPECT_EQ(IdOf("nvme0n1"), "wwid:eui.0025385b71b0ab01");
  EXPECT_EQ(IdOf("nvme1n1"), "nguid:ace42e00-1a2b-3c4d-0000-000000000001");
  EXPECT_EQ(IdOf("nvme2n1"), "uuid:6f4e-1");
  EXPECT_EQ(IdOf("nvme3n1"), "serial:S5");
  EXPECT_EQ(TypeOf("nvme3n1"), "nvme");
  EXPECT_EQ(inventory_->Find(Dev(259, 0))->subject.serial(), "S466NX");
}

// The multipath head takes bios; its paths take the requests, but sysfs hides their numbers.
TEST_F(DevicesTest, HiddenNvmePathIsFoundByItsNumber) {
  tree_.Write("proc/self/mountinfo", "30 1 259:4 / /srv rw - xfs /dev/nvme0n1 rw\n");
  tree_.Write("proc/diskstats", " 259       4 nvme0n1 0 0\n 259       5 nvme0c1n1 0 0 0\nnonsense\n\n 259\n");
  tree_.AddBioDisk("nvme0n1", "259:4", {{"wwid", "eui.01"}});
  for (const char* attribute : {"hidden", "mq/0/nr_tags"})
    tree_.Write(std::string("sys/block/nvme0c1n1/") + attribute, "1\n");
  tree_.Write("sys/block/nvme0c1n1/wwid", "eui.01\n");
  Open();
  const BlockDevice* path = inventory_->Find(Dev(259, 5));
  ASSERT_NE(path, nullptr);
  EXPECT_EQ(path->name, "nvme0c1n1");
  EXPECT_EQ(path->subject.id(), "wwid:eui.01");
  EXPECT_FALSE(path->bio_based);
  EXPECT_THAT(inventory_->SubjectOf(Dev(259, 5)).used_by(), ElementsAre("nvme0n1", "/srv (xfs)"));
  EXPECT_TRUE(inventory_->Find(Dev(259, 4))->bio_based);
  EXPECT_EQ(inventory_->Find(Dev(259, 6)), nullptr);
}

// Its `serial` attribute is a command to the device, which may hang.
TEST_F(DevicesTest, VirtioSerialComesFromUdevNotFromTheDevice) {
  tree_.AddDisk("vda", "254:0", {{"serial", "asked-the-device"}});
  tree_.SetSubsystem("vda", "virtio");
  tree_.AddDisk("vdb", "254:16", {{"serial", "asked-the-device"}});
  tree_.SetSubsystem("vdb", "virtio");
  tree_.Write("run/udev/data/b254:16", "I:123\nE:ID_SERIAL=data-1\n");
  Open();
  EXPECT_EQ(TypeOf("vda"), "virtio");
  EXPECT_EQ(IdOf("vda"), "dev:254:0");
  EXPECT_EQ(IdOf("vdb"), "serial:data-1");
}

TEST_F(DevicesTest, OtherTypesByTheirOwnNames) {
  tree_.AddBioDisk("dm-0", "253:0", {{"dm/name", "vg-root"}, {"dm/uuid", "LVM-abc"}});
  tree_.AddDisk("dm-1", "253:1", {{"dm/name", "mpatha"}, {"dm/uuid", "mpath-3600"}});
  tree_.AddBioDisk("dm-2", "253:2", {{"dm/name", "bare"}, {"dm/uuid", ""}});
  tree_.AddBioDisk("md0", "9:0", {{"md/uuid", "6f4e0d1c-00aa-11bb-22cc-334455667788"}});
  tree_.AddBioDisk("md1", "9:1", {{"md/level", "raid1"}});
  tree_.Write("run/udev/data/b9:1", "E:MD_UUID=6f4e0d1c:00aa11bb:22cc3344:55667788\n");
  tree_.AddBioDisk("md2", "9:2", {{"md/level", "raid1"}});
  tree_.AddBioDisk("zram0", "251:0", {{"queue/iostats", "0"}});
  tree_.AddBioDisk("ram3", "1:3");
  tree_.AddDisk("nbd0", "43:0", {{"pid", "77"}, {"backend", "export-a"}});
  tree_.AddDisk("nbd1", "43:32", {{"pid", "78"}});
  tree_.AddDisk("rbd0", "252:0",
                {{"device/pool", "vms"}, {"device/name", "disk1"}, {"device/current_snap", "-"}});
  tree_.AddDisk(
      "rbd1", "252:16",
      {{"device/pool", "vms"}, {"device/pool_ns", "t1"}, {"device/name", "d"}, {"device/current_snap", "s"}});
  tree_.AddDisk("sr0", "11:0", {{"device/type", "5"}});
  tree_.SetSubsystem("sr0", "scsi");
  tree_.AddDisk("fd0", "2:0");
  tree_.AddDisk("mmcblk0", "179:0", {{"device/serial", "0x1234"}});
  tree_.AddDisk("xvda", "202:0");
  Open();
  EXPECT_EQ(IdOf("dm-0"), "dm:LVM-abc");
  EXPECT_TRUE(inventory_->FindByName("dm-0")->bio_based);
  EXPECT_EQ(IdOf("dm-1"), "dm:mpath-3600");
  EXPECT_FALSE(inventory_->FindByName("dm-1")->bio_based);
  EXPECT_EQ(IdOf("dm-2"), "dev:253:2");
  EXPECT_EQ(IdOf("md0"), "md:6f4e0d1c00aa11bb22cc334455667788");
  EXPECT_EQ(IdOf("md1"), IdOf("md0"));
  EXPECT_EQ(IdOf("md2"), "md:md2");
  EXPECT_EQ(IdOf("zram0"), "zram:zram0");
  EXPECT_FALSE(inventory_->FindByName("zram0")->iostats);
  EXPECT_EQ(IdOf("ram3"), "ram:ram3");
  EXPECT_EQ(IdOf("nbd0"), "nbd:export-a");
  EXPECT_EQ(IdOf("nbd1"), "dev:43:32");
  EXPECT_EQ(IdOf("rbd0"), "rbd:vms/disk1");
  EXPECT_EQ(IdOf("rbd1"), "rbd:vms/t1/d@s");
  EXPECT_EQ(IdOf("mmcblk0"), "serial:0x1234");
  for (const auto& [name, type] :
       {std::pair("dm-0", "dm"), std::pair("md2", "md"), std::pair("nbd1", "nbd"), std::pair("rbd0", "rbd"),
        std::pair("sr0", "cdrom"), std::pair("fd0", "floppy"), std::pair("xvda", "other")})
    EXPECT_EQ(TypeOf(name), type) << name;
}

TEST_F(DevicesTest, OddBytesBecomePrintable) {
  const std::string path = "/srv/\xff\xc3\xa9\n\x1b[31m\xed\xa0\x80\xc2\x9bz";
  tree_.AddDisk("loop0", "7:0", {{"loop/backing_file", path}});
  tree_.AddDisk("sda", "8:0", {{"device/model", "\xf0\x9f\x92\xbe \x80"}});
  Open();
  EXPECT_EQ(IdOf("loop0"), "loop:/srv/\\xff\xc3\xa9\\x0a\\x1b[31m\\xed\\xa0\\x80\\xc2\\x9bz");
  EXPECT_EQ(inventory_->FindByName("sda")->subject.model(), "\xf0\x9f\x92\xbe \\x80");
}

TEST_F(DevicesTest, UsersAreTheWholeStackNearestFirst) {
  tree_.AddDisk("sda", "8:0");
  tree_.AddPartition("sda", "sda1", "8:1");
  tree_.AddPartition("sda", "sda2", "8:2");
  tree_.AddPartition("sda", "sda10", "8:10");
  tree_.AddBioDisk("md0", "9:0");
  tree_.AddBioDisk("dm-0", "253:0", {{"dm/name", "vg-root"}});
  tree_.AddBioDisk("dm-1", "253:1", {{"dm/name", "vg-\xfe"}});
  tree_.AddHolder("sda/sda2", "md0");
  tree_.AddHolder("sda/sda10", "md0");
  tree_.AddHolder("md0", "dm-0");
  tree_.AddHolder("md0", "dm-1");
  tree_.AddHolder("dm-1", "md0");  // no kernel has it, but nothing may loop on it
  tree_.Write("proc/self/mountinfo",
              "20 1 8:1 / /boot rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
              "21 1 253:0 / / rw - xfs /dev/mapper/vg-root rw\n"
              "22 1 253:0 /x /mnt/a\\040b rw - xfs /dev/mapper/vg-root rw\n"
              "23 1 0:40 / /data rw - btrfs /dev/mapper/vg-\xfe rw\n"
              "24 1 0:41 / /proc rw - proc proc rw\n"
              "garbage\n25 1 253:0\n - \n26 1 x:y / /q rw - a b c\n");
  Open();
  EXPECT_THAT(UsersOf("sda"), ElementsAre("sda1", "sda2", "sda10", "/boot (ext4)", "md0", "dm-0 (vg-root)",
                                          "dm-1 (vg-\\xfe)", "/ (xfs)", "/mnt/a b (xfs)", "/data (btrfs)"));
  EXPECT_THAT(UsersOf("dm-0"), ElementsAre("/ (xfs)", "/mnt/a b (xfs)"));
  EXPECT_EQ(inventory_->NameOf(Dev(8, 2)), "sda2");
  EXPECT_EQ(inventory_->NameOf(Dev(8, 0)), "sda");
  EXPECT_EQ(inventory_->NameOf(Dev(8, 3)), "8:3");
  EXPECT_EQ(inventory_->Find(Dev(8, 2)), nullptr) << "a partition is no whole disk";
}

TEST_F(DevicesTest, UsersAreBounded) {
  tree_.AddDisk("sda", "8:0");
  for (int i = 1; i <= 200; ++i)
    tree_.AddPartition("sda", "sda" + std::to_string(i), "259:" + std::to_string(i));
  Open();
  const auto users = UsersOf("sda");
  EXPECT_EQ(users.size(), 65u);
  EXPECT_EQ(users.front(), "sda1");
  EXPECT_EQ(users.back(), "... and more");
}

TEST_F(DevicesTest, OpenAndRescanTellOfEveryChange) {
  tree_.AddDisk("sda", "8:0");
  tree_.AddDisk("sdb", "8:16");
  tree_.AddDisk("loop0", "7:0");
  Open({{}, {"sdb"}});
  std::sort(changes_.begin(), changes_.end());
  EXPECT_THAT(changes_, ElementsAre("+sda", "?loop0", "?sdb"));

  changes_.clear();
  inventory_->Rescan();
  EXPECT_THAT(changes_, IsEmpty());

  tree_.RemoveDisk("sda", "8:0");
  tree_.AddDisk("sdc", "8:32");
  inventory_->Rescan();
  EXPECT_THAT(changes_, ElementsAre("-sda", "+sdc"));
  EXPECT_EQ(inventory_->Find(Dev(8, 0)), nullptr);
  EXPECT_EQ(inventory_->SubjectOf(Dev(8, 0)).type(), "block_device");
  EXPECT_EQ(inventory_->SubjectOf(Dev(8, 0)).name(), "8:0");
  EXPECT_EQ(inventory_->SubjectOf(Dev(8, 0)).id(), "dev:8:0");
  EXPECT_EQ(inventory_->FindByName("sda"), nullptr);

  changes_.clear();
  tree_.Write("sys/block/sdc/wwid", "naa.1\n");
  inventory_->Rescan();
  EXPECT_THAT(changes_, ElementsAre("+sdc"));
  changes_.clear();
  std::filesystem::remove(tree_.disk("sdc") / "mq");
  inventory_->Rescan();
  EXPECT_THAT(changes_, ElementsAre("+sdc")) << "bio_based changed";
  EXPECT_EQ(inventory_->All().size(), 3u);
}

TEST_F(DevicesTest, NumberOrNameGoesToAnotherDisk) {
  tree_.AddDisk("sda", "8:0");
  Open();
  tree_.RemoveDisk("sda", "8:0");
  tree_.AddDisk("sdx", "8:0");
  changes_.clear();
  inventory_->Rescan();
  EXPECT_THAT(changes_, ElementsAre("-sda", "+sdx"));
  EXPECT_EQ(inventory_->Find(Dev(8, 0))->name, "sdx");

  tree_.RemoveDisk("sdx", "8:0");
  tree_.AddDisk("sdx", "8:64");
  changes_.clear();
  inventory_->Rescan();
  EXPECT_THAT(changes_, ElementsAre("-sdx", "+sdx"));
  EXPECT_EQ(inventory_->Find(Dev(8, 0)), nullptr);
  EXPECT_EQ(inventory_->FindByName("sdx")->dev, Dev(8, 64));
}

TEST_F(DevicesTest, FindsWhatNobodyAnnounced) {
  Open();
  tree_.AddDisk("sda", "8:0");
  const BlockDevice* sda = inventory_->Find(Dev(8, 0));
  ASSERT_NE(sda, nullptr);
  EXPECT_EQ(sda->name, "sda");
  EXPECT_THAT(changes_, ElementsAre("+sda"));
  EXPECT_EQ(inventory_->Find(Dev(8, 0)), sda);
}

TEST_F(DevicesTest, LoopDeviceIsReadAgainWhenItsFileChanged) {
  tree_.AddDisk("loop3", "7:3");
  Open({{"loop"}, {}});
  EXPECT_THAT(changes_, ElementsAre("?loop3"));
  EXPECT_EQ(inventory_->All().front()->reason, "no backing file");

  tree_.Write("sys/block/loop3/loop/backing_file", "/srv/a.img\n");
  changes_.clear();
  const BlockDevice* loop = inventory_->Find(Dev(7, 3));
  ASSERT_NE(loop, nullptr);
  EXPECT_EQ(loop->subject.id(), "loop:/srv/a.img");
  EXPECT_TRUE(loop->watched);
  EXPECT_EQ(loop->reason, "");
  EXPECT_THAT(changes_, ElementsAre("+loop3"));

  tree_.Write("sys/block/loop3/loop/backing_file", "/srv/a.img (deleted)\n");
  changes_.clear();
  EXPECT_EQ(inventory_->Find(Dev(7, 3))->subject.id(), "loop:/srv/a.img");
  EXPECT_THAT(changes_, IsEmpty());

  tree_.Write("sys/block/loop3/loop/backing_file", "/srv/b.img\n");
  EXPECT_EQ(inventory_->Find(Dev(7, 3))->subject.id(), "loop:/srv/b.img");
  EXPECT_THAT(changes_, ElementsAre("+loop3"));
}

TEST_F(DevicesTest, DetachedLoopDeviceIsItselfUntilItsEvent) {
  tree_.AddDisk("loop3", "7:3", {{"loop/backing_file", "/srv/a.img"}});
  Open({{"loop"}, {}});
  changes_.clear();
  std::filesystem::remove_all(tree_.disk("loop3") / "loop");
  const BlockDevice* loop = inventory_->Find(Dev(7, 3));
  EXPECT_EQ(loop->subject.id(), "loop:/srv/a.img");
  EXPECT_TRUE(loop->watched);
  inventory_->Rescan();
  loop = inventory_->Find(Dev(7, 3));
  EXPECT_EQ(loop->subject.id(), "dev:7:3");
  EXPECT_FALSE(loop->watched);
  EXPECT_THAT(changes_, ElementsAre("?loop3"));
}

TEST_F(DevicesTest, OverrideWatchesUntilToldOtherwise) {
  tree_.AddDisk("loop3", "7:3", {{"loop/backing_file", "/srv/a.img"}});
  Open();
  changes_.clear();
  auto loop = inventory_->SetOverride("loop3", true);
  ASSERT_TRUE(loop) << loop.error().message;
  EXPECT_TRUE((*loop)->watched);
  EXPECT_EQ((*loop)->reason, "");
  inventory_->Rescan();
  EXPECT_TRUE((*loop)->watched);
  ASSERT_TRUE(inventory_->SetOverride("loop3", true));
  EXPECT_THAT(changes_, ElementsAre("+loop3"));

  ASSERT_TRUE(inventory_->SetOverride("loop3", false));
  EXPECT_FALSE((*loop)->watched);
  EXPECT_EQ((*loop)->reason, "loop devices are watched only when devices.include names them");
  EXPECT_THAT(changes_, ElementsAre("+loop3", "?loop3"));
  for (const char* absent : {"loop4", "", "..", "../block/loop3", "loop3/mq"}) {
    const auto refused = inventory_->SetOverride(absent, true);
    ASSERT_FALSE(refused) << absent;
    EXPECT_EQ(refused.error().code, ENODEV);
  }
}

TEST_F(DevicesTest, MissingAndBrokenAttributesAreNoReasonToStop) {
  tree_.AddDisk("sda", "not a number");
  tree_.AddDisk("sdb", "8:99999999999");
  tree_.Write("sys/block/sdc/dev", "");
  tree_.Write("sys/block/sdd/size", "1\n");  // goes away while it is read
  tree_.AddDisk("sde", "8:64", {{"device/wwid", std::string(100'000, 'x')}});
  Open();
  EXPECT_THAT(inventory_->All(), ::testing::SizeIs(1));
  EXPECT_EQ(TypeOf("sde"), "other");
}

TEST_F(DevicesTest, NoSysfsIsAnError) {
  const auto opened = DeviceInventory::Open(dir_.path() / "absent", {}, [](const auto&) {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_NE(opened.error().message.find("absent"), std::string::npos);
}

TEST_F(DevicesTest, FiveThousandDisks) {
  constexpr uint32_t kDisks = 5000;
  for (uint32_t i = 0; i < kDisks; ++i)
    tree_.AddDisk("sd" + std::to_string(i), "259:" + std::to_string(i),
                  {{"device/wwid", "naa." + std::to_string(i + 1)}});
  Open();
  EXPECT_EQ(changes_.size(), kDisks);
  EXPECT_EQ(inventory_->All().size(), kDisks);
  EXPECT_EQ(inventory_->Find(Dev(259, 4321))->subject.id(), "wwid:naa.4322");
}

// The running kernel's own devices and events.
class RealDevicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop device";
    auto opened = DeviceInventory::Open("/sys", {{"loop:" + dir_.path().string() + "/*"}, {}},
                                        [this](const DeviceInventory::Change& change) {
                                          if (change.device->dev == followed_)
                                            watched_.push_back(change.device->watched);
                                          if (!change.removed)
                                            seen_[change.device->dev] = change.device->subject.id();
                                        });
    ASSERT_TRUE(opened) << opened.error().message;
    inventory_ = std::move(*opened);
    uevents_ = UeventSource::Start(
        {[this](const Uevent& event) { inventory_->OnUevent(event); }, [this] { inventory_->Rescan(); }});
  }

  // Consumes uevents until the device's id in the last change is the expected one.
  bool WaitForId(uint32_t dev, const std::string& id) {
    for (int i = 0; i < 100 && seen_[dev] != id; ++i) {
      pollfd ready{uevents_->poll_fd(), POLLIN, 0};
      poll(&ready, 1, 100);
      uevents_->Consume();
    }
    return seen_[dev] == id;
  }

  TempDir dir_{TempDir::MemoryParent()};
  uint32_t followed_ = 0;
  std::vector<bool> watched_;
  std::map<uint32_t, std::string> seen_;
  std::unique_ptr<DeviceInventory> inventory_;
  std::unique_ptr<UeventSource> uevents_;
};

TEST_F(RealDevicesTest, HearsALoopDeviceComeAndGo) {
  ASSERT_GE(uevents_->poll_fd(), 0) << uevents_->Status()[0].reason();
  EXPECT_TRUE(uevents_->Status()[0].active());
  EXPECT_EQ(uevents_->Status()[0].reason(), "");
  const std::string image = dir_ / "disk.img";
  auto loop = fakes::LoopDevice::Create(image, 1 << 20);
  ASSERT_TRUE(loop) << loop.error().message;
  ASSERT_TRUE(WaitForId(loop->dev(), "loop:" + image));
  const BlockDevice* device = inventory_->Find(loop->dev());
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->name, loop->name());
  EXPECT_EQ(device->type, "loop");
  EXPECT_TRUE(device->watched);
  EXPECT_FALSE(device->bio_based);

  followed_ = loop->dev();
  loop->Detach();
  EXPECT_TRUE(WaitForId(followed_, "dev:7:" + std::to_string(FFDC_DEV_MINOR(followed_))));
  ASSERT_FALSE(watched_.empty());
  EXPECT_FALSE(watched_.back());
  EXPECT_GT(uevents_->Status()[0].records(), 0u);
}

TEST_F(RealDevicesTest, FindDoesNotWaitForTheEvent) {
  const std::string image = dir_ / "disk.img";
  auto loop = fakes::LoopDevice::Create(image, 1 << 20);
  ASSERT_TRUE(loop) << loop.error().message;
  const BlockDevice* device = inventory_->Find(loop->dev());
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->subject.id(), "loop:" + image);
  std::filesystem::remove(image);
  EXPECT_EQ(inventory_->Find(loop->dev())->subject.id(), "loop:" + image);
}

}  // namespace
}  // namespace ffdc
