// SPDX-License-Identifier: Apache-2.0
#include "ffdc/abi/nvme.h"
#include "ffdc/abi/scsi.h"
#include "unit/detect/detect_fixture.h"

namespace ffdc {
namespace {

constexpr uint32_t kAborted = FFDC_SCSI_SENSE_DETAIL(0, 0xb, 0x10, 0);
constexpr uint32_t kAttention = FFDC_SCSI_SENSE_DETAIL(0, 6, 0x29, 0);
constexpr uint32_t kQueueFull = FFDC_SCSI_STATUS_DETAIL(0, 0x28);

class IoRetryTest : public DetectorTest {
 protected:
  IoRetryTest() : DetectorTest("io.retry") { Start(); }

  void Retried(uint64_t total, uint32_t detail = kAborted, uint32_t dev = kSda) {
    Total(FFDC_FAULT_SCSI_ERROR, dev, detail, total);
    Total(FFDC_FAULT_REQUEUE, dev, 0, total);
  }
};

TEST_F(IoRetryTest, AFewRetriesThatSucceedConcernNobody) {
  Retried(60);
  Tick(100);
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, MoreThanTheLimitInAMinuteAreAnEventWithTheDevicesWords) {
  ffdc_scsi_error record{};
  record.dev = kSda;
  record.response = 0x70;
  record.key = 0xb;
  record.asc = 0x10;
  Send(record, FFDC_FAULT_SCSI_ERROR);
  Retried(40);
  Tick(10);
  EXPECT_TRUE(events_.empty());
  Retried(61);
  Tick();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(phase(), EventPhase::kOpened);
  EXPECT_EQ(last().severity(), v1::WARNING);
  EXPECT_EQ(last().domain(), v1::OTHER);
  EXPECT_EQ(last().count(), 61u);
  EXPECT_EQ(FactOf(last(), "sense"), "ABORTED COMMAND, ID CRC or ECC error (B/10/00)");
  Retried(71);
  Tick();
  EXPECT_EQ(last().count(), 71u);
}

TEST_F(IoRetryTest, SpreadOverMoreThanAMinuteTheyAreFew) {
  for (uint64_t total = 1; total <= 300; ++total) {
    Retried(total);
    Tick(2);
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, EndsWhenTheyAreFewAgain) {
  Retried(100);
  Tick();
  EXPECT_EQ(phase(), EventPhase::kOpened);
  Tick(130);
  EXPECT_EQ(phase(), EventPhase::kEnded);
  Retried(120);
  Tick();
  EXPECT_EQ(phase(), EventPhase::kEnded);
}

TEST_F(IoRetryTest, WhatBelongsToADevicesNormalLifeIsNotCounted) {
  Retried(1000, kAttention);
  Tick(3);
  Retried(1000, kQueueFull);
  Tick(3);
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, ErrorsThatAreNotTriedAgainAreNoRetries) {
  Total(FFDC_FAULT_SCSI_ERROR, kSda, FFDC_SCSI_SENSE_DETAIL(0, 3, 0x11, 0), 1000);
  Tick(3);
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, WhereNoAnswersAreHeardRequeuesAloneCount) {
  Total(FFDC_FAULT_REQUEUE, kSdb, 0, 61);
  Tick();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(last().subject().name(), "sdb");
}

TEST_F(IoRetryTest, AMultipathDisksRequeuesArePathsThatFailed) {
  const uint32_t dm = 253u << 20;
  names_[dm] = "dm-0";
  Total(FFDC_FAULT_REQUEUE, dm, 0, 1000);
  Tick(3);
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, AnEntryThatTheKernelDroppedBeginsAnew) {
  Retried(50);
  Tick(70);
  Retried(20);
  Tick(1);
  EXPECT_TRUE(events_.empty());
}

TEST_F(IoRetryTest, AnNvmePathsRetriesAreItsDisks) {
  const uint32_t hidden = (259u << 20) + 1;
  names_[259u << 20] = "nvme0n1";
  ffdc_nvme_error record{};
  record.dev = hidden;
  record.status = 0x6;
  std::snprintf(record.disk, sizeof record.disk, "nvme0c1n1");
  Send(record, FFDC_FAULT_NVME_ERROR);
  Total(FFDC_FAULT_NVME_ERROR, hidden, 0x6, 61);
  Total(FFDC_FAULT_REQUEUE, hidden, 0, 61);
  Tick();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(last().subject().name(), "nvme0n1");
  EXPECT_EQ(FactOf(last(), "nvme_status"), "Internal Error (0h/06h)");
}

}  // namespace
}  // namespace ffdc
