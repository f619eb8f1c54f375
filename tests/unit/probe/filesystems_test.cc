// SPDX-License-Identifier: Apache-2.0
#include "probe/filesystems.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "ffdc/abi/block.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;

class FilesystemsTest : public ::testing::Test {
 protected:
  FilesystemsTest() : tree_(dir_.path()) {
    tree_.AddDisk("sda", "8:0", {{"device/wwid", "naa.5000"}});
    tree_.AddPartition("sda", "sda1", "8:1");
    tree_.AddBioDisk("dm-0", "253:0", {{"dm/name", "vg-data"}, {"dm/uuid", "LVM-abc"}});
    for (const char* name : {"sda", "dm-0"}) ClassLink(name, tree_.disk(name));
    ClassLink("sda1", tree_.disk("sda") / "sda1");
    tree_.Write("run/udev/data/b8:1", "S:disk/by-uuid/1234\nE:ID_FS_UUID=1234-abcd\nE:ID_FS_TYPE=ext4\n");
    tree_.Write("proc/self/mountinfo",
                "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
                "26 25 0:22 / /proc rw - proc proc rw\n"
                "27 25 0:45 /sub /srv rw,noatime - btrfs /dev/mapper/vg-data rw,space_cache=v2\n"
                "28 25 0:45 /other /mnt/other rw - btrfs /dev/mapper/vg-data rw\n"
                "29 25 0:50 / /tmp rw - tmpfs tmpfs rw\n"
                "30 25 8:1 /home /home ro,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n"
                "31 25 0:60 / /fuse rw - fuse.x /dev/unknown rw\n");
    auto opened = DeviceInventory::Open(tree_.sysfs(), {}, [](const DeviceInventory::Change&) {});
    EXPECT_TRUE(opened);
    devices_ = std::move(*opened);
    table_ = std::make_unique<FilesystemTable>(DeviceRoots(tree_.sysfs()), *devices_);
  }
  void ClassLink(const std::string& name, const std::filesystem::path& target) const {
    std::filesystem::create_directories(tree_.sysfs() / "class/block");
    std::filesystem::create_directory_symlink(target, tree_.sysfs() / "class/block" / name);
  }

  TempDir dir_{TempDir::MemoryParent()};
  fakes::SysfsTree tree_;
  std::unique_ptr<DeviceInventory> devices_;
  std::unique_ptr<FilesystemTable> table_;
};

TEST_F(FilesystemsTest, ThoseOnBlockDevicesAreFoundWithTheirDisk) {
  const auto mounted = table_->Mounted();
  ASSERT_EQ(mounted.size(), 2u);  // neither proc, tmpfs nor FUSE
  const Filesystem& btrfs = mounted[0];
  EXPECT_EQ(btrfs.stat_dev, 45u);
  EXPECT_EQ(btrfs.dev, Dev(253, 0));
  EXPECT_EQ(btrfs.disk, Dev(253, 0));
  EXPECT_EQ(btrfs.id, "fs:dm:LVM-abc");  // no UUID is known
  EXPECT_THAT(btrfs.points, ElementsAre("/srv", "/mnt/other"));
  const Filesystem& ext4 = mounted[1];
  EXPECT_EQ(ext4.dev, Dev(8, 1));
  EXPECT_EQ(ext4.disk, Dev(8, 0));
  EXPECT_EQ(ext4.id, "fs:1234-abcd");
  EXPECT_EQ(ext4.device, "sda1");
  EXPECT_EQ(ext4.type, "ext4");
  EXPECT_FALSE(ext4.read_only);  // one of its mounts is
  EXPECT_THAT(ext4.points, ElementsAre("/", "/home"));
}

TEST_F(FilesystemsTest, EveryNumberAndNameOfOneLeadsToIt) {
  EXPECT_EQ(table_->Of(45).id, table_->Of(Dev(253, 0)).id);
  EXPECT_EQ(table_->DevOf("sda1"), Dev(8, 1));
  EXPECT_EQ(table_->DevOf("dm-0"), Dev(253, 0));
  for (const char* name : {"", "sdz", "../../proc", "."}) EXPECT_EQ(table_->DevOf(name), 0u) << name;
}

TEST_F(FilesystemsTest, OneThatIsNotMountedHasAnIdentityToo) {
  const Filesystem raw = table_->Of(Dev(8, 0));
  EXPECT_EQ(raw.id, "fs:wwid:naa.5000");
  EXPECT_TRUE(raw.points.empty());
  tree_.Write("run/udev/data/b8:1", "");
  EXPECT_EQ(table_->Of(Dev(8, 1)).id, "fs:wwid:naa.5000-part1");
  EXPECT_EQ(table_->Of(Dev(9, 9)).id, "fs:dev:9:9");
}

TEST_F(FilesystemsTest, WhatAPathLiesOnIsKnownByItsMount) {
  EXPECT_THAT(table_->Below("/var/lib/ffdc/store"), ElementsAre("wwid:naa.5000", "fs:1234-abcd"));
  EXPECT_THAT(table_->Below("/srv/store"), ElementsAre("dm:LVM-abc", "fs:dm:LVM-abc"));
  EXPECT_THAT(table_->Below("/tmp/store"), ElementsAre());
  tree_.Write("proc/self/mountinfo", "30 1 0:51 / /mnt/nfs rw - nfs4 srv:/export rw\n");
  EXPECT_THAT(table_->Below("/mnt/nfs/store"), ElementsAre("nfs:srv:/export"));
  EXPECT_THAT(table_->Below("/elsewhere"), ElementsAre());
}

TEST_F(FilesystemsTest, ReadOnlyIsTheFilesystemsOwnState) {
  for (const char* options : {"ro,errors=remount-ro", "rw,emergency_ro"}) {
    tree_.Write("proc/self/mountinfo",
                std::string("25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 ") + options + "\n");
    EXPECT_TRUE(table_->Of(Dev(8, 1)).read_only) << options;
  }
}

TEST_F(FilesystemsTest, ThoseWithoutADiskAreFoundWithAnIdentity) {
  tree_.Write("proc/self/mountinfo",
              "25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
              "26 25 0:22 / /proc rw - proc proc rw\n"
              "29 25 0:50 / /tmp rw - tmpfs tmpfs rw\n"
              "30 25 0:51 / /mnt/nfs rw - nfs4 srv:/export rw\n"
              "31 25 0:51 /sub /mnt/sub ro - nfs4 srv:/export rw\n"
              "32 25 0:52 / /mnt/ro rw - cifs //srv/share ro\n"
              "33 25 0:53 / /auto rw - autofs systemd-1 rw\n"
              "34 33 0:54 / /auto rw - nfs4 srv:/auto rw\n"
              "35 25 0:55 / /hidden rw - tmpfs tmpfs rw\n"
              "36 35 0:56 / /hidden rw - ceph 10.0.0.1:6789:/ rw\n"
              "37 25 0:57 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
              "38 25 0:58 / /home/a rw - fuse.sshfs host:/a rw\n");
  const auto mounted = table_->MountedWithoutDisk("node-a");
  ASSERT_EQ(mounted.size(), 5u);
  EXPECT_EQ(mounted[0].id, "fs:tmpfs:/tmp@node-a");
  EXPECT_EQ(mounted[0].disk, 0u);
  EXPECT_EQ(mounted[1].id, "nfs:srv:/export");
  EXPECT_THAT(mounted[1].points, ElementsAre("/mnt/nfs", "/mnt/sub"));
  EXPECT_TRUE(mounted[2].read_only);
  EXPECT_EQ(mounted[3].id, "fs:ceph:10.0.0.1:6789:/");
  EXPECT_EQ(mounted[4].id, "fs:fuse.sshfs:/home/a@node-a");
}

}  // namespace
}  // namespace ffdc
