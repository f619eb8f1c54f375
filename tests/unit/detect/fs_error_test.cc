// SPDX-License-Identifier: Apache-2.0
#include "detect/fs_messages.h"
#include "ffdc/abi/fs.h"
#include "node_fixture.h"

namespace ffdc {
namespace {

struct Line {
  const char* text;
  const char* device;  // empty: no error of a filesystem
  const char* type;
  bool read_only;
};

class FsMessages : public testing::TestWithParam<Line> {};

TEST_P(FsMessages, AreToldFromTheRest) {
  const Line& line = GetParam();
  const auto parsed = ParseFsMessage(line.text);
  ASSERT_EQ(parsed.has_value(), *line.device != '\0') << line.text;
  if (!parsed) return;
  EXPECT_EQ(parsed->device, line.device);
  EXPECT_EQ(parsed->type, line.type);
  EXPECT_EQ(parsed->read_only, line.read_only);
  EXPECT_FALSE(parsed->detail.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Real, FsMessages,
    testing::Values(
        Line{"EXT4-fs error (device dm-0): ext4_journal_check_start:83: comm dd: Detected aborted journal",
             "dm-0", "ext4", false},
        Line{"EXT4-fs error (device dm-0) in ext4_reserve_inode_write:5764: IO failure", "dm-0", "ext4",
             false},
        Line{"EXT4-fs (dm-0): Remounting filesystem read-only", "dm-0", "ext4", true},
        Line{"EXT4-fs (sda1): I/O error while writing superblock", "sda1", "ext4", false},
        Line{"EXT4-fs warning (device loop3): ext4_end_bio:343: I/O error 10 writing to inode 12 starting "
             "block 8192)",
             "loop3", "ext4", false},
        Line{"EXT4-fs warning (device sda1): ext4_multi_mount_protect:328: MMP interval 42 higher", "", "",
             false},
        Line{"EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.", "", "", false},
        Line{"EXT4-fs (sda1): re-mounted. Opts: (null)", "", "", false},
        Line{"EXT4-fs (sda1): VFS: Can't find ext4 filesystem", "", "", false},
        Line{"Aborting journal on device dm-0-8.", "dm-0", "", false},
        Line{"Aborting journal on device nvme0n1p2-8.", "nvme0n1p2", "", false},
        Line{"Aborting journal on device dm-0.", "dm-0", "", false},
        Line{"JBD2: Error -5 detected when updating journal superblock for sda1-8.", "sda1", "", false},
        Line{"JBD2: I/O error when updating journal superblock for dm-0-8.", "dm-0", "", false},
        Line{"JBD2: recovery failed", "", "", false},
        Line{"XFS (dm-1): log I/O error -5", "dm-1", "xfs", false},
        Line{"XFS (dm-1): Filesystem has been shut down due to log error (0x2).", "dm-1", "xfs", true},
        Line{"XFS (dm-1): Please unmount the filesystem and rectify the problem(s).", "", "", false},
        Line{"XFS (dm-1): metadata I/O error in \"xfs_read_agf+0x6b\" at daddr 0x1 len 1 error 5", "dm-1",
             "xfs", false},
        Line{"XFS (sdb1): Corruption of in-memory data (0x8) detected at xfs_trans_cancel+0x10 "
             "(fs/xfs/xfs_trans.c:1096).  Shutting down filesystem.",
             "sdb1", "xfs", true},
        Line{"XFS (dm-1): Mounting V5 Filesystem", "", "", false},
        Line{"XFS (dm-1): Unmounting Filesystem", "", "", false},
        Line{"BTRFS error (device dm-2): bdev /dev/mapper/data errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
             "dm-2", "btrfs", false},
        Line{"BTRFS info (device dm-2): bdev /dev/mapper/data errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
             "", "", false},
        Line{"BTRFS: error (device dm-2) in btrfs_commit_transaction:2494: errno=-5 IO failure (Error while "
             "writing "
             "out transaction)",
             "dm-2", "btrfs", false},
        Line{"BTRFS info (device dm-2: state E): forced readonly", "dm-2", "btrfs", true},
        Line{"BTRFS info (device dm-2 state E): forced readonly", "dm-2", "btrfs", true},
        Line{"BTRFS error (device sdb): balance: invalid convert data profile raid1", "", "", false},
        Line{"BTRFS error (device sdb): open_ctree failed", "", "", false},
        Line{"BTRFS info (device sdb): using crc32c (crc32c-intel) checksum algorithm", "", "", false},
        Line{"BTRFS: device fsid 8f2a devid 1 transid 6 /dev/sdb scanned by mkfs.btrfs (123)", "", "", false},
        Line{"EXT4-fs error (device", "", "", false}, Line{"XFS (", "", "", false}, Line{"", "", "", false}));

class FsErrorTest : public NodeFixture {
 protected:
  FsErrorTest() {
    kinds_ = {"fs.error"};
    Start();
  }
  static ffdc_fs_error Record(uint32_t dev) {
    ffdc_fs_error record{};
    record.dev = dev;
    record.cgroup_id = 7;
    strcpy(record.fs_type, "ext4");
    return record;
  }
};

TEST_F(FsErrorTest, OneEventAFilesystemWithAllThatIsSaidOfIt) {
  auto record = Record(kDisk);
  strcpy(record.function, "ext4_find_entry");
  record.line = 1463;
  Send(record, FFDC_FAULT_FS_ERROR);
  record = Record(kDisk);
  record.error = 5;
  record.inode = 12;
  record.cgroup_id = 0;
  Send(record, FFDC_FAULT_WRITEBACK);
  Log("EXT4-fs error (device dm-0): ext4_find_entry:1463: inode #2: comm ls: reading directory lblock 0");
  ASSERT_EQ(Count(EventPhase::kOpened), 1u);
  const v1::Event opened = events_.front().first;
  EXPECT_EQ(opened.domain(), v1::OTHER);
  EXPECT_EQ(opened.severity(), v1::CRITICAL);
  EXPECT_EQ(opened.subject().type(), "filesystem");
  EXPECT_EQ(opened.subject().id(), "fs:1234-abcd");
  EXPECT_EQ(opened.subject().name(), "/srv/data");
  EXPECT_EQ(opened.summary(), "/srv/data (ext4 on dm-0): error in ext4_find_entry:1463");
  for (const char* id : {"mount:/srv/data", "mount:/mnt/bind", "dm:data0", "wwid:below"})
    EXPECT_TRUE(IsRelated(opened, id)) << id;
  Tick();
  const v1::Event& updated = events_.back().first;
  EXPECT_EQ(updated.count(), 3u);
  EXPECT_EQ(Fact(updated, "function"), "ext4_find_entry");
  EXPECT_EQ(Fact(updated, "error"), "EIO");
  EXPECT_EQ(Fact(updated, "inode"), "12");
  ASSERT_EQ(updated.clients_size(), 1);  // the kworker is nobody's
  EXPECT_EQ(updated.clients(0).name(), "unit7");
}

TEST_F(FsErrorTest, AFilesystemOfAnonymousNumberIsThatOfItsDisk) {
  mounted_[0].stat_dev = kBtrfsDev;
  mounted_[0].type = "btrfs";
  auto record = Record(kBtrfsDev);
  record.error = 5;
  Send(record, FFDC_FAULT_WRITEBACK);
  Log("BTRFS info (device dm-0: state E): forced readonly");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  Tick();
  EXPECT_EQ(Fact(events_.back().first, "read_only"), "true");
}

TEST_F(FsErrorTest, ReadOnlySoonAfterAnErrorIsPartOfIt) {
  Log("Aborting journal on device dm-0-8.");
  Tick();
  EXPECT_EQ(Fact(events_.back().first, "read_only"), "");
  mounted_[0].read_only = true;
  Tick();
  EXPECT_EQ(events_.back().second, EventPhase::kUpdated);
  EXPECT_EQ(Fact(events_.back().first, "read_only"), "true");
}

TEST_F(FsErrorTest, APersonsRemountIsNothing) {
  Log("Aborting journal on device dm-0-8.");
  Tick(30);
  mounted_[0].read_only = true;
  Tick(10);
  EXPECT_EQ(Fact(events_.back().first, "read_only"), "");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

TEST_F(FsErrorTest, WhatAProcessWritesToTheLogIsNothing) {
  Log("EXT4-fs error (device dm-0): x:1: comm y: z", 1);
  EXPECT_TRUE(events_.empty());
}

TEST_F(FsErrorTest, ARawWriteToADiskThatNobodyMountedIsNothing) {
  auto record = Record(kDisk + 1);
  record.flags = FFDC_FS_BLOCKDEV;
  record.error = 5;
  Send(record, FFDC_FAULT_WRITEBACK);
  EXPECT_TRUE(events_.empty());
  record.dev = kDisk;
  Send(record, FFDC_FAULT_WRITEBACK);
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

TEST_F(FsErrorTest, ADiskLeftOutNeverFails) {
  ignored_ = {kDisk};
  Send(Record(kDisk), FFDC_FAULT_FS_ERROR);
  Log("EXT4-fs (dm-0): Remounting filesystem read-only");
  EXPECT_TRUE(events_.empty());
}

TEST_F(FsErrorTest, ADeviceThatIsGoneIsKnownByItsName) {
  Log("XFS (sdz1): log I/O error -5");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.subject().id(), "fs:sdz1@node-a");
}

TEST_F(FsErrorTest, EndsWhenQuiet) {
  Log("XFS (dm-0): log I/O error -5");
  Tick(62);
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  Log("XFS (dm-0): log I/O error -5");
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
}

}  // namespace
}  // namespace ffdc
