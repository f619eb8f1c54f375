// SPDX-License-Identifier: Apache-2.0
#include "detect/kernel_timeouts.h"
#include "ffdc/abi/scsi.h"
#include "unit/detect/detect_fixture.h"

namespace ffdc {
namespace {

class IoTimeoutTest : public DetectorTest {
 protected:
  IoTimeoutTest() : DetectorTest("io.timeout") { Start(); }

  void TimeOut(uint32_t dev = kSda) {
    ffdc_scsi_error record{};
    record.dev = dev;
    record.sector = 80;
    record.len_bytes = 4096;
    record.waited_ns = 30 * kSecond;
    record.opcode = 0x28;
    record.allowed = 5;
    record.cgroup_id = 7;
    Send(record, FFDC_FAULT_SCSI_TIMEOUT);
  }
};

TEST_F(IoTimeoutTest, FirstTimeoutOpensAnEventBeforeAnyError) {
  related_[kSda] = {"dm:mpath-1"};
  TimeOut();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(phase(), EventPhase::kOpened);
  EXPECT_EQ(last().domain(), v1::X1);
  EXPECT_EQ(last().severity(), v1::WARNING);
  EXPECT_EQ(last().subject().id(), "wwid:sda");
  EXPECT_EQ(last().related_ids(0), "dm:mpath-1");
  EXPECT_EQ(last().clients(0).name(), "unit7");
  EXPECT_EQ(FactOf(last(), "command"), "READ(10)");
  EXPECT_EQ(FactOf(last(), "waited_s"), "30.0");
  EXPECT_EQ(last().summary(), "sda: read got no answer for 30.0 s (READ(10) at sector 80)");
}

TEST_F(IoTimeoutTest, CountsComeFromTheKernelAndAreNotCountedTwice) {
  TimeOut();
  TimeOut();
  Total(FFDC_FAULT_SCSI_TIMEOUT, kSda, 0, 2);
  Tick();
  EXPECT_EQ(last().count(), 2u);
  Total(FFDC_FAULT_SCSI_TIMEOUT, kSda, 0, 500);
  Tick();
  EXPECT_EQ(last().count(), 500u);
  EXPECT_EQ(phase(), EventPhase::kUpdated);
}

TEST_F(IoTimeoutTest, OneThatIsOnlyInTheCountsIsFound) {
  Total(FFDC_FAULT_SCSI_TIMEOUT, kSda, 0, 3);
  Tick();
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(events_[0].second, EventPhase::kOpened);
  EXPECT_EQ(last().count(), 3u);
}

TEST_F(IoTimeoutTest, EndsWhenQuiet) {
  TimeOut();
  Tick(62);
  EXPECT_EQ(phase(), EventPhase::kEnded);
  TimeOut();
  EXPECT_EQ(phase(), EventPhase::kOpened);
  EXPECT_EQ(last().count(), 1u);
}

TEST_F(IoTimeoutTest, DisksHaveEventsOfTheirOwnAndIgnoredOnesNone) {
  ignored_ = kSdb;
  TimeOut();
  TimeOut(kSdb);
  Total(FFDC_FAULT_SCSI_TIMEOUT, kSdb, 0, 9);
  Tick();
  for (const auto& [event, phase] : events_) EXPECT_EQ(event.subject().name(), "sda");
}

TEST_F(IoTimeoutTest, TheKernelsLogIsTheLastWitness) {
  names_[259u << 20] = "nvme0n1";
  Log("nvme nvme0: I/O tag 12 (100c) opcode 0x2 (Read) QID 3 timeout, aborting req_op:READ(0) size:4096");
  EXPECT_EQ(last().subject().name(), "nvme0n1");
  Log("nvme nvme7: queue 1: timeout request 0x2 type 4");
  EXPECT_EQ(last().subject().id(), "nvme_controller:nvme7@node-a");
  names_[43u << 20] = "nbd0";
  Log("block nbd0: Possible stuck request 000000005d0b2c3e: control (read@0,4096B). Runtime 30 seconds");
  EXPECT_EQ(last().subject().name(), "nbd0");
  EXPECT_EQ(FactOf(last(), "kernel").substr(0, 14), "Possible stuck");
  EXPECT_EQ(events_.size(), 3u);
}

TEST(KernelTimeouts, OnlyTimeoutsOfIoAreMeant) {
  EXPECT_TRUE(ParseKernelTimeout("nvme nvme0: I/O 12 QID 3 timeout, reset controller"));
  EXPECT_TRUE(ParseKernelTimeout("nvme nvme0: I/O 12 QID 3 timeout, completion polled"));
  EXPECT_FALSE(ParseKernelTimeout("nvme nvme0: I/O 12 QID 0 timeout, reset controller"));
  EXPECT_FALSE(ParseKernelTimeout("nvme nvme0: queue 0: timeout request 0x2 type 4"));
  EXPECT_FALSE(ParseKernelTimeout("nvme nvme0: Shutdown timeout set to 8 seconds"));
  EXPECT_FALSE(ParseKernelTimeout("block nbd0: Connection timed out"));
  EXPECT_FALSE(ParseKernelTimeout("block ../x: Possible stuck request 0"));
  EXPECT_FALSE(ParseKernelTimeout("block"));
  EXPECT_FALSE(ParseKernelTimeout(""));
}

}  // namespace
}  // namespace ffdc
