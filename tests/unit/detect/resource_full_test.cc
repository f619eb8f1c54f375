// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "ffdc/abi/fs.h"
#include "node_fixture.h"

namespace ffdc {
namespace {

constexpr uint8_t kNoSpace = 3;  // blk_status_t

class ResourceFullTest : public NodeFixture {
 protected:
  ResourceFullTest() { kinds_ = {"resource.threshold", "io.error", "fs.error"}; }

  static ffdc_block_error Refused(uint32_t dev, uint64_t total) {
    ffdc_block_error record{};
    record.dev = dev;
    record.op = 1;
    record.status = kNoSpace;
    record.total = total;
    record.cgroup_id = 7;
    return record;
  }
  void Totals(uint32_t dev, uint64_t total) {
    ffdc_storm_entry entry{};
    entry.total = total;
    entry.last_ns = clock_.now_ns;
    const ffdc_storm_key key{dev, 1, kNoSpace, FFDC_RECORD_BIO_ERROR};
    for (auto& detector : detectors_) detector->OnTick({{key, entry}});
  }
  void Writeback(uint32_t error) {
    ffdc_fs_error record{};
    record.dev = kDisk;
    record.error = error;
    record.inode = 12;
    Send(record, FFDC_FAULT_WRITEBACK);
  }
  void Uevent(const std::string& what) {
    ffdc::Uevent event;
    event.action = "change";
    event.subsystem = "scsi";
    event.devtype = "scsi_device";
    event.devpath = "/devices/nowhere/host9/target9:0:0/9:0:0:1";
    event.properties["SDEV_UA"] = what;
    for (auto& detector : detectors_) detector->OnUevent(event);
  }
};

TEST_F(ResourceFullTest, AWriteThatFoundNoSpaceIsNoErrorOfTheDisk) {
  Start();
  Send(Refused(kDisk, 1), FFDC_RECORD_BIO_ERROR);
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event event = events_[0].first;
  EXPECT_EQ(event.kind(), "resource.threshold");
  EXPECT_EQ(event.domain(), v1::RESOURCE);
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.subject().id(), "dm:data0");
  EXPECT_EQ(event.summary(), "dm-0: full: a write found no space");
  EXPECT_EQ(Fact(event, "answer"), "ENOSPC");
  Totals(kDisk, 100);  // with those that storm control kept back
  Tick();
  EXPECT_EQ(events_.back().first.count(), 100u);
  ASSERT_EQ(events_.back().first.clients_size(), 1);
  EXPECT_EQ(events_.back().first.clients(0).name(), "unit7");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  Tick(61);
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
  Totals(kDisk, 100);  // nothing new
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
  Totals(kDisk, 101);
  Tick();
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
  for (const auto& [seen, phase] : events_) EXPECT_EQ(seen.kind(), "resource.threshold");
}

TEST_F(ResourceFullTest, DisksThatAreNotWatchedAreLeftOut) {
  ignored_ = {kDisk + 1};
  Start();
  Send(Refused(kDisk + 1, 1), FFDC_RECORD_BLOCK_ERROR);
  Totals(kDisk + 1, 5);
  EXPECT_TRUE(events_.empty());
}

TEST_F(ResourceFullTest, WritebackThatFindsNoSpaceIsNoErrorOfTheFilesystem) {
  Start();
  Writeback(ENOSPC);
  Writeback(EDQUOT);
  ASSERT_EQ(Count(EventPhase::kOpened), 2u);
  const v1::Event full = events_[0].first;
  EXPECT_EQ(full.kind(), "resource.threshold");
  EXPECT_EQ(full.severity(), v1::CRITICAL);
  EXPECT_EQ(full.subject().id(), "fs:1234-abcd");
  EXPECT_EQ(full.summary(), "/srv/data: full: what was written is lost");
  EXPECT_TRUE(IsRelated(full, "mount:/srv/data"));
  EXPECT_TRUE(IsRelated(full, "dm:data0"));
  EXPECT_EQ(Fact(events_[1].first, "answer"), "EDQUOT");
  Writeback(EIO);
  EXPECT_EQ(events_.back().first.kind(), "fs.error");
}

TEST_F(ResourceFullTest, AThinDiskSaysThatItsPoolFills) {
  Start();
  Uevent("INQUIRY_DATA_HAS_CHANGED");
  EXPECT_TRUE(events_.empty());
  Uevent("THIN_PROVISIONING_SOFT_THRESHOLD_REACHED");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.severity(), v1::WARNING);
  EXPECT_EQ(events_[0].first.subject().name(), "9:0:0:1");
  EXPECT_EQ(events_[0].first.summary(), "9:0:0:1: its pool crossed the soft threshold of its provisioning");
  Tick(61);
  EXPECT_EQ(Count(EventPhase::kEnded), 1u);
}

}  // namespace
}  // namespace ffdc
