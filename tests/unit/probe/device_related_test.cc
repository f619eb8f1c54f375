// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/sysfs_tree.h"
#include "fakes/temp_dir.h"
#include "fakes/units.h"
#include "ffdc/abi/block.h"
#include "probe/devices.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class DeviceRelatedTest : public ::testing::Test {
 protected:
  DeviceRelatedTest() : tree_(dir_.path()) {}

  void Open() {
    auto opened = DeviceInventory::Open(tree_.sysfs(), {}, [](const DeviceInventory::Change&) {});
    ASSERT_TRUE(opened) << opened.error().message;
    inventory_ = std::move(*opened);
  }

  TempDir dir_{TempDir::MemoryParent()};
  fakes::SysfsTree tree_;
  std::unique_ptr<DeviceInventory> inventory_;
};

// A volume over two disks, one of them partitioned: what fails with what, and which of them lies below.
TEST_F(DeviceRelatedTest, RelatedIsWhatLiesBelowAndAboveNotBeside) {
  tree_.AddDisk("sda", "8:0", {{"device/wwid", "naa.a"}});
  tree_.AddPartition("sda", "sda1", "8:1");
  tree_.AddDisk("sdb", "8:16", {{"device/wwid", "naa.b"}});
  tree_.AddBioDisk("dm-0", "253:0", {{"dm/name", "vg-srv"}, {"dm/uuid", "LVM-1"}});
  tree_.AddHolder("sda/sda1", "dm-0");
  tree_.AddHolder("sdb", "dm-0");
  tree_.AddSlave("dm-0", "sda/sda1");
  tree_.AddSlave("dm-0", "sdb");
  tree_.Write("proc/self/mountinfo", "22 1 253:0 / /srv rw - xfs /dev/mapper/vg-srv rw\n");
  Open();
  EXPECT_THAT(inventory_->RelatedTo(Dev(8, 0)), ElementsAre("dm:LVM-1", "mount:/srv"));
  EXPECT_THAT(inventory_->BelowOf(Dev(8, 0)), IsEmpty());
  EXPECT_THAT(inventory_->RelatedTo(Dev(253, 0)),
              UnorderedElementsAre("wwid:naa.a", "wwid:naa.b", "mount:/srv"));
  EXPECT_THAT(inventory_->BelowOf(Dev(253, 0)), UnorderedElementsAre("wwid:naa.a", "wwid:naa.b"));
  EXPECT_THAT(inventory_->BelowOf(Dev(9, 9)), IsEmpty());
}

// A driver may call its disk what it likes: "c0d0" below "cciss", or worse.
TEST_F(DeviceRelatedTest, OddNamesAreShownAsText) {
  tree_.AddDisk("cciss!c0d0", "104:0");
  tree_.AddDisk("bad\xff\nname", "104:16");
  Open();
  EXPECT_EQ(inventory_->Find(Dev(104, 0))->subject.name(), "cciss!c0d0");
  EXPECT_EQ(inventory_->Find(Dev(104, 16))->subject.name(), "bad\\xff\\x0aname");
  EXPECT_EQ(inventory_->SubjectOf(Dev(104, 16)).name(), "bad\\xff\\x0aname");
  Uevent gone;
  gone.action = "remove";
  gone.subsystem = "block";
  gone.devtype = "disk";
  gone.devpath = "/devices/virtual/block/bad\xff\nname";
  inventory_->OnUevent(gone);
  EXPECT_EQ(inventory_->All().size(), 1u);
}

}  // namespace
}  // namespace ffdc
