// SPDX-License-Identifier: Apache-2.0
// What the device itself said comes with its io.error, in whatever order the two
// ring buffers are read.
#include "ffdc/abi/nvme.h"
#include "ffdc/abi/scsi.h"
#include "unit/detect/detect_fixture.h"

namespace ffdc {
namespace {

class IoErrorSenseTest : public DetectorTest {
 protected:
  IoErrorSenseTest() : DetectorTest("io.error") { Start(); }

  void Fail(uint64_t sector = 4660, uint32_t dev = kSda, uint64_t latency_ns = 5'000'000) {
    ffdc_block_error record{};
    record.dev = dev;
    record.status = 7;
    record.total = ++failures_;
    record.sector = sector;
    record.len_bytes = 4096;
    record.latency_ns = latency_ns;
    Send(record, FFDC_RECORD_BLOCK_ERROR);
  }
  void Sense(uint8_t asc = 0x11, uint64_t sector = 4656, uint32_t dev = kSda) {
    ffdc_scsi_error record{};
    record.dev = dev;
    record.sector = sector;
    record.len_bytes = 4096;
    record.status = 2;
    record.response = 0x72;
    record.key = 3;
    record.asc = asc;
    Send(record, FFDC_FAULT_SCSI_ERROR);
  }
  uint64_t failures_ = 0;
};

constexpr const char* kText = "MEDIUM ERROR, unrecovered read error (3/11/00)";

TEST_F(IoErrorSenseTest, WhatWasSaidBeforeIsThereFromTheStart) {
  Sense();
  Fail();
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(last().evidence(0).detail(), kText);
  EXPECT_EQ(FactOf(last(), "sense"), kText);
  EXPECT_EQ(last().summary(), std::string("sda: read failed (status7), first at sector 4660: ") + kText);
}

TEST_F(IoErrorSenseTest, WhatIsHeardAfterwardsAmendsTheEvent) {
  Fail();
  EXPECT_EQ(last().evidence(0).detail(), "");
  Sense();
  Tick();
  EXPECT_EQ(phase(), EventPhase::kUpdated);
  EXPECT_EQ(last().evidence(0).detail(), kText);
  EXPECT_EQ(FactOf(last(), "sense"), kText);
}

TEST_F(IoErrorSenseTest, OnlyWhatIsAboutThisIoCounts) {
  Sense(0x11, 9000);
  Sense(0x11, 4656, kSdb);
  Sense();
  clock_.now_ns += kSecond;  // long before this request was made
  Fail();
  Tick();
  EXPECT_EQ(last().evidence(0).detail(), "");
  EXPECT_EQ(last().facts_size(), 0);
}

TEST_F(IoErrorSenseTest, TheLastOfSeveralTriesCounts) {
  Sense(0x14);
  clock_.now_ns += 20 * kSecond;
  Sense(0x11);
  Fail(4660, kSda, 21 * kSecond);
  EXPECT_EQ(last().evidence(0).detail(), kText);
}

TEST_F(IoErrorSenseTest, ATransportThatFailsIsNamed) {
  ffdc_scsi_error record{};
  record.dev = kSda;
  record.sector = 4660;
  record.host = 1;
  Send(record, FFDC_FAULT_SCSI_ERROR);
  Fail();
  EXPECT_EQ(last().evidence(0).detail(), "DID_NO_CONNECT");
  EXPECT_EQ(FactOf(last(), "scsi_host"), "DID_NO_CONNECT");
}

TEST_F(IoErrorSenseTest, AnNvmePathSpeaksForItsDisk) {
  const uint32_t head = 259u << 20;
  names_[head] = "nvme0n1";
  ffdc_nvme_error record{};
  record.dev = head + 5;
  record.sector = 4656;
  record.len_bytes = 4096;
  record.status = 0x2300;
  std::snprintf(record.disk, sizeof record.disk, "nvme0c3n1");
  Send(record, FFDC_FAULT_NVME_ERROR);
  Fail(4660, head, 0);
  EXPECT_EQ(FactOf(last(), "nvme_status"), "Internal Path Error (3h/00h)");
}

TEST_F(IoErrorSenseTest, SayingsAreBounded) {
  for (uint64_t i = 0; i < 100'000; ++i) Sense(0x11, i * 8);
  Fail(8 * 99'999);
  EXPECT_EQ(last().evidence(0).detail(), kText);
}

}  // namespace
}  // namespace ffdc
