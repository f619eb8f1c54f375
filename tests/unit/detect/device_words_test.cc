// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "detect/nvme_words.h"
#include "detect/scsi_words.h"

namespace ffdc {
namespace {

TEST(ScsiWords, SenseIsSaidInTheStandardsWords) {
  EXPECT_EQ(SenseText(3, 0x11, 0), "MEDIUM ERROR, unrecovered read error (3/11/00)");
  EXPECT_EQ(SenseText(7, 0x27, 7), "DATA PROTECT, space allocation failed, write protect (7/27/07)");
  EXPECT_EQ(SenseText(6, 0x38, 7), "UNIT ATTENTION, thin provisioning soft threshold reached (6/38/07)");
  EXPECT_EQ(SenseText(2, 4, 0x0c),
            "NOT READY, logical unit not accessible, target port in unavailable state (2/04/0C)");
  EXPECT_EQ(SenseText(4, 0x44, 0), "HARDWARE ERROR, internal target failure (4/44/00)");
  EXPECT_EQ(SenseText(0xb, 0x4b, 3), "ABORTED COMMAND, ACK/NAK timeout (B/4B/03)");
  EXPECT_EQ(SenseText(6, 0x2a, 1), "UNIT ATTENTION, mode parameters changed (6/2A/01)");
  EXPECT_EQ(SenseText(3, 0x31, 0), "MEDIUM ERROR, medium format corrupted (3/31/00)");
}

TEST(ScsiWords, CodesWithoutWordsHaveThoseOfTheirAscOrTheirNumbers) {
  EXPECT_EQ(SenseText(2, 4, 0x77), "NOT READY, logical unit not ready (2/04/77)");
  EXPECT_EQ(SenseText(9, 0x9a, 0xff), "VENDOR SPECIFIC (9/9A/FF)");
  EXPECT_EQ(ScsiHostName(0x55), "host byte 55h");
  EXPECT_EQ(ScsiHostName(0x15), "host byte 15h");
  EXPECT_EQ(ScsiStatusName(0x77), "status 77h");
  EXPECT_EQ(ScsiOpcodeName(0xff), "command FFh");
}

TEST(ScsiWords, ACommandsEndNamesAdapterThenDevice) {
  ffdc_scsi_error error{};
  EXPECT_EQ(ScsiErrorText(error), "");
  error.host = 1;
  EXPECT_EQ(ScsiErrorText(error), "DID_NO_CONNECT");
  error.status = 0x18;
  EXPECT_EQ(ScsiErrorText(error), "DID_NO_CONNECT, RESERVATION CONFLICT");
  error = {};
  error.status = 2;
  error.response = 0x72;
  error.key = 0xb;
  error.asc = 0x10;
  error.ascq = 1;
  EXPECT_EQ(ScsiErrorText(error), "ABORTED COMMAND, logical block guard check failed (B/10/01)");
  EXPECT_EQ(ScsiHostName(0x0e), "DID_TRANSPORT_DISRUPTED");
  EXPECT_EQ(ScsiStatusName(0x40), "TASK ABORTED");
  EXPECT_EQ(ScsiOpcodeName(0x28), "READ(10)");
}

TEST(ScsiWords, WhatADeviceSaysInNormalLifeIsRoutine) {
  EXPECT_TRUE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(0, 6, 0x29, 0)));
  EXPECT_TRUE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(0, 2, 4, 1)));
  EXPECT_TRUE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(0, 1, 0x17, 1)));
  EXPECT_TRUE(IsRoutineScsiAnswer(FFDC_SCSI_STATUS_DETAIL(0, 0x28)));
  EXPECT_TRUE(IsRoutineScsiAnswer(FFDC_SCSI_STATUS_DETAIL(0, 0x08)));
  EXPECT_FALSE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(0, 2, 4, 3)));
  EXPECT_FALSE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(0, 0xb, 0x10, 0)));
  EXPECT_FALSE(IsRoutineScsiAnswer(FFDC_SCSI_SENSE_DETAIL(3, 6, 0x29, 0)));
  EXPECT_FALSE(IsRoutineScsiAnswer(FFDC_SCSI_STATUS_DETAIL(1, 0)));
  EXPECT_FALSE(IsRoutineScsiAnswer(FFDC_SCSI_STATUS_DETAIL(0, 0x40)));
}

TEST(NvmeWords, StatusIsSaidInTheStandardsWords) {
  EXPECT_EQ(NvmeStatusText(0x281), "Unrecovered Read Error (2h/81h)");
  EXPECT_EQ(NvmeStatusText(0x2300), "Internal Path Error (3h/00h)");
  EXPECT_EQ(NvmeStatusText(0x371), "Command Aborted By Host (3h/71h)");
  EXPECT_EQ(NvmeStatusText(0x4002), "Invalid Field in Command (0h/02h), do not retry");
  EXPECT_EQ(NvmeStatusText(0x081), "Capacity Exceeded (0h/81h)");
}

TEST(NvmeWords, CodesWithoutWordsHaveThoseOfTheirType) {
  EXPECT_EQ(NvmeStatusText(0x2ff), "Media and Data Integrity Error (2h/FFh)");
  EXPECT_EQ(NvmeStatusText(0x7c3), "Vendor Specific Status (7h/C3h)");
  EXPECT_EQ(NvmeStatusText(0x455), "Reserved Status (4h/55h)");
}

}  // namespace
}  // namespace ffdc
