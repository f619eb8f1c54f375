// SPDX-License-Identifier: Apache-2.0
#include "detect/scsi_words.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <string_view>

namespace ffdc {
namespace {

constexpr uint8_t kAny = 0xff;  // an ASC's own words, for those of its ASCQs that have none here

constexpr uint8_t kRecovered = 0x1;
constexpr uint8_t kNotReady = 0x2;
constexpr uint8_t kUnitAttention = 0x6;

constexpr uint8_t kCheckCondition = 0x02;
constexpr uint8_t kBusy = 0x08;
constexpr uint8_t kReservationConflict = 0x18;
constexpr uint8_t kTaskSetFull = 0x28;

// SPC-6, table "Sense key".
constexpr std::array<std::string_view, 16> kSenseKeys = {
    "NO SENSE",       "RECOVERED ERROR", "NOT READY",      "MEDIUM ERROR",
    "HARDWARE ERROR", "ILLEGAL REQUEST", "UNIT ATTENTION", "DATA PROTECT",
    "BLANK CHECK",    "VENDOR SPECIFIC", "COPY ABORTED",   "ABORTED COMMAND",
    "RESERVED",       "VOLUME OVERFLOW", "MISCOMPARE",     "COMPLETED"};

// include/scsi/scsi_status.h, enum scsi_host_status.
constexpr std::array<std::string_view, 0x16> kHosts = {"DID_OK",
                                                       "DID_NO_CONNECT",
                                                       "DID_BUS_BUSY",
                                                       "DID_TIME_OUT",
                                                       "DID_BAD_TARGET",
                                                       "DID_ABORT",
                                                       "DID_PARITY",
                                                       "DID_ERROR",
                                                       "DID_RESET",
                                                       "DID_BAD_INTR",
                                                       "DID_PASSTHROUGH",
                                                       "DID_SOFT_ERROR",
                                                       "DID_IMM_RETRY",
                                                       "DID_REQUEUE",
                                                       "DID_TRANSPORT_DISRUPTED",
                                                       "DID_TRANSPORT_FAILFAST",
                                                       "DID_TARGET_FAILURE",
                                                       "DID_NEXUS_FAILURE",
                                                       "DID_ALLOC_FAILURE",
                                                       "DID_MEDIUM_ERROR",
                                                       "DID_TRANSPORT_MARGINAL",
                                                       ""};

struct SenseCode {
  uint8_t asc;
  uint8_t ascq;
  std::string_view words;
  constexpr bool operator<(const SenseCode& other) const {
    return asc != other.asc ? asc < other.asc : ascq < other.ascq;
  }
};

// SPC-6, annex "Numeric order codes": those that disks and arrays send. In order.
constexpr SenseCode kSenseCodes[] = {
    {0x00, 0x00, "no additional sense information"},
    {0x00, 0x06, "I/O process terminated"},
    {0x00, 0x16, "operation in progress"},
    {0x00, 0x1d, "ATA pass through information available"},
    {0x01, 0x00, "no index/sector signal"},
    {0x02, 0x00, "no seek complete"},
    {0x03, 0x00, "peripheral device write fault"},
    {0x04, 0x00, "logical unit not ready, cause not reportable"},
    {0x04, 0x01, "logical unit is in process of becoming ready"},
    {0x04, 0x02, "logical unit not ready, initializing command required"},
    {0x04, 0x03, "logical unit not ready, manual intervention required"},
    {0x04, 0x04, "logical unit not ready, format in progress"},
    {0x04, 0x05, "logical unit not ready, rebuild in progress"},
    {0x04, 0x06, "logical unit not ready, recalculation in progress"},
    {0x04, 0x07, "logical unit not ready, operation in progress"},
    {0x04, 0x09, "logical unit not ready, self-test in progress"},
    {0x04, 0x0a, "logical unit not accessible, asymmetric access state transition"},
    {0x04, 0x0b, "logical unit not accessible, target port in standby state"},
    {0x04, 0x0c, "logical unit not accessible, target port in unavailable state"},
    {0x04, 0x10, "logical unit not ready, auxiliary memory not accessible"},
    {0x04, 0x11, "logical unit not ready, notify (enable spinup) required"},
    {0x04, 0x12, "logical unit not ready, offline"},
    {0x04, 0x14, "logical unit not ready, space allocation in progress"},
    {0x04, 0x1a, "logical unit not ready, START STOP UNIT command in progress"},
    {0x04, 0x1b, "logical unit not ready, sanitize in progress"},
    {0x04, 0x1c, "logical unit not ready, additional power use not yet granted"},
    {0x04, 0x1d, "logical unit not ready, configuration in progress"},
    {0x04, 0x1e, "logical unit not ready, microcode activation required"},
    {0x04, 0x22, "logical unit not ready, power cycle required"},
    {0x04, 0x24, "depopulation in progress"},
    {0x04, 0x25, "depopulation restoration in progress"},
    {0x04, kAny, "logical unit not ready"},
    {0x05, 0x00, "logical unit does not respond to selection"},
    {0x06, 0x00, "no reference position found"},
    {0x08, 0x00, "logical unit communication failure"},
    {0x08, 0x01, "logical unit communication time-out"},
    {0x08, 0x02, "logical unit communication parity error"},
    {0x08, 0x03, "logical unit communication CRC error"},
    {0x08, 0x04, "unreachable copy target"},
    {0x09, 0x00, "track following error"},
    {0x09, 0x04, "head select fault"},
    {0x0b, 0x00, "warning"},
    {0x0b, 0x01, "warning, specified temperature exceeded"},
    {0x0b, 0x02, "warning, enclosure degraded"},
    {0x0b, 0x03, "warning, background self-test failed"},
    {0x0b, 0x04, "warning, background pre-scan detected medium error"},
    {0x0b, 0x05, "warning, background medium scan detected medium error"},
    {0x0b, 0x06, "warning, non-volatile cache now volatile"},
    {0x0b, 0x07, "warning, degraded power to non-volatile cache"},
    {0x0b, 0x08, "warning, power loss expected"},
    {0x0b, 0x14, "warning, physical element status change"},
    {0x0b, kAny, "warning"},
    {0x0c, 0x00, "write error"},
    {0x0c, 0x01, "write error, recovered with auto reallocation"},
    {0x0c, 0x02, "write error, auto reallocation failed"},
    {0x0c, 0x03, "write error, recommend reassignment"},
    {0x0c, kAny, "write error"},
    {0x0e, 0x00, "invalid information unit"},
    {0x0e, kAny, "invalid information unit"},
    {0x10, 0x00, "ID CRC or ECC error"},
    {0x10, 0x01, "logical block guard check failed"},
    {0x10, 0x02, "logical block application tag check failed"},
    {0x10, 0x03, "logical block reference tag check failed"},
    {0x11, 0x00, "unrecovered read error"},
    {0x11, 0x01, "read retries exhausted"},
    {0x11, 0x02, "error too long to correct"},
    {0x11, 0x03, "multiple read errors"},
    {0x11, 0x04, "unrecovered read error, auto reallocate failed"},
    {0x11, 0x0a, "miscorrected error"},
    {0x11, 0x0b, "unrecovered read error, recommend reassignment"},
    {0x11, 0x0c, "unrecovered read error, recommend rewrite the data"},
    {0x11, 0x14, "read error, LBA marked bad by application client"},
    {0x11, kAny, "unrecovered read error"},
    {0x12, 0x00, "address mark not found for ID field"},
    {0x13, 0x00, "address mark not found for data field"},
    {0x14, 0x00, "recorded entity not found"},
    {0x14, 0x01, "record not found"},
    {0x15, 0x00, "random positioning error"},
    {0x15, 0x01, "mechanical positioning error"},
    {0x16, 0x00, "data synchronization mark error"},
    {0x17, 0x00, "recovered data with no error correction applied"},
    {0x17, 0x01, "recovered data with retries"},
    {0x17, kAny, "recovered data"},
    {0x18, 0x00, "recovered data with error correction applied"},
    {0x18, kAny, "recovered data with error correction"},
    {0x19, 0x00, "defect list error"},
    {0x1a, 0x00, "parameter list length error"},
    {0x1b, 0x00, "synchronous data transfer error"},
    {0x1d, 0x00, "miscompare during verify operation"},
    {0x20, 0x00, "invalid command operation code"},
    {0x21, 0x00, "logical block address out of range"},
    {0x21, 0x04, "unaligned write command"},
    {0x24, 0x00, "invalid field in CDB"},
    {0x25, 0x00, "logical unit not supported"},
    {0x26, 0x00, "invalid field in parameter list"},
    {0x27, 0x00, "write protected"},
    {0x27, 0x01, "hardware write protected"},
    {0x27, 0x02, "logical unit software write protected"},
    {0x27, 0x07, "space allocation failed, write protect"},
    {0x27, 0x08, "zone is read only"},
    {0x27, kAny, "write protected"},
    {0x28, 0x00, "not ready to ready change, medium may have changed"},
    {0x29, 0x00, "power on, reset, or bus device reset occurred"},
    {0x29, 0x01, "power on occurred"},
    {0x29, 0x02, "SCSI bus reset occurred"},
    {0x29, 0x03, "bus device reset function occurred"},
    {0x29, 0x04, "device internal reset"},
    {0x29, 0x05, "transceiver mode changed to single-ended"},
    {0x29, 0x07, "I_T nexus loss occurred"},
    {0x29, kAny, "power on, reset, or bus device reset occurred"},
    {0x2a, 0x00, "parameters changed"},
    {0x2a, 0x01, "mode parameters changed"},
    {0x2a, 0x02, "log parameters changed"},
    {0x2a, 0x03, "reservations preempted"},
    {0x2a, 0x04, "reservations released"},
    {0x2a, 0x05, "registrations preempted"},
    {0x2a, 0x06, "asymmetric access state changed"},
    {0x2a, 0x07, "implicit asymmetric access state transition failed"},
    {0x2a, 0x08, "priority changed"},
    {0x2a, 0x09, "capacity data has changed"},
    {0x2a, kAny, "parameters changed"},
    {0x2c, 0x00, "command sequence error"},
    {0x2f, 0x00, "commands cleared by another initiator"},
    {0x2f, 0x01, "commands cleared by power loss notification"},
    {0x2f, 0x02, "commands cleared by device server"},
    {0x30, 0x00, "incompatible medium installed"},
    {0x31, 0x00, "medium format corrupted"},
    {0x31, 0x01, "format command failed"},
    {0x31, 0x03, "sanitize command failed"},
    {0x32, 0x00, "no defect spare location available"},
    {0x32, 0x01, "defect list update failure"},
    {0x35, kAny, "enclosure services failure"},
    {0x37, 0x00, "rounded parameter"},
    {0x38, 0x07, "thin provisioning soft threshold reached"},
    {0x39, 0x00, "saving parameters not supported"},
    {0x3a, 0x00, "medium not present"},
    {0x3a, kAny, "medium not present"},
    {0x3e, 0x00, "logical unit has not self-configured yet"},
    {0x3e, 0x01, "logical unit failure"},
    {0x3e, 0x02, "timeout on logical unit"},
    {0x3e, 0x03, "logical unit failed self-test"},
    {0x3f, 0x00, "target operating conditions have changed"},
    {0x3f, 0x01, "microcode has been changed"},
    {0x3f, 0x02, "changed operating definition"},
    {0x3f, 0x03, "inquiry data has changed"},
    {0x3f, 0x05, "device identifier changed"},
    {0x3f, 0x0e, "reported LUNs data has changed"},
    {0x3f, kAny, "target operating conditions have changed"},
    {0x40, kAny, "diagnostic failure on component"},
    {0x43, 0x00, "message error"},
    {0x44, 0x00, "internal target failure"},
    {0x44, 0x71, "ATA device failed set features"},
    {0x44, kAny, "internal target failure"},
    {0x45, 0x00, "select or reselect failure"},
    {0x47, 0x00, "SCSI parity error"},
    {0x47, 0x01, "data phase CRC error detected"},
    {0x47, 0x03, "information unit iuCRC error detected"},
    {0x47, kAny, "SCSI parity error"},
    {0x48, 0x00, "initiator detected error message received"},
    {0x49, 0x00, "invalid message error"},
    {0x4a, 0x00, "command phase error"},
    {0x4b, 0x00, "data phase error"},
    {0x4b, 0x01, "invalid target port transfer tag received"},
    {0x4b, 0x02, "too much write data"},
    {0x4b, 0x03, "ACK/NAK timeout"},
    {0x4b, 0x04, "NAK received"},
    {0x4b, 0x05, "data offset error"},
    {0x4b, 0x06, "initiator response timeout"},
    {0x4b, 0x07, "connection lost"},
    {0x4b, kAny, "data phase error"},
    {0x4c, 0x00, "logical unit failed self-configuration"},
    {0x4e, 0x00, "overlapped commands attempted"},
    {0x53, 0x00, "media load or eject failed"},
    {0x55, 0x00, "system resource failure"},
    {0x55, 0x03, "insufficient resources"},
    {0x55, kAny, "insufficient resources"},
    {0x5d, 0x00, "failure prediction threshold exceeded"},
    {0x5d, kAny, "failure prediction threshold exceeded"},
    {0x5e, kAny, "power state changed"},
    {0x65, 0x00, "voltage fault"},
    {0x67, kAny, "configuration failure"},
    {0x74, kAny, "security error"},
};
static_assert(std::is_sorted(std::begin(kSenseCodes), std::end(kSenseCodes)));

std::string Hex(uint8_t value) {
  char text[3];
  std::snprintf(text, sizeof text, "%02X", value);
  return text;
}

std::string_view FindCode(uint8_t asc, uint8_t ascq) {
  const SenseCode wanted{asc, ascq, {}};
  const auto* const found = std::lower_bound(std::begin(kSenseCodes), std::end(kSenseCodes), wanted);
  if (found == std::end(kSenseCodes) || found->asc != asc || found->ascq != ascq) return {};
  return found->words;
}

}  // namespace

std::string SenseKeyName(uint8_t key) { return std::string(kSenseKeys[key & 0xf]); }

// SAM-6, table "Status codes".
std::string ScsiStatusName(uint8_t status) {
  switch (status) {
    case 0x00:
      return "GOOD";
    case kCheckCondition:
      return "CHECK CONDITION";
    case 0x04:
      return "CONDITION MET";
    case kBusy:
      return "BUSY";
    case kReservationConflict:
      return "RESERVATION CONFLICT";
    case kTaskSetFull:
      return "TASK SET FULL";
    case 0x30:
      return "ACA ACTIVE";
    case 0x40:
      return "TASK ABORTED";
    default:
      return "status " + Hex(status) + "h";
  }
}

std::string ScsiHostName(uint8_t host) {
  if (host < kHosts.size() && !kHosts[host].empty()) return std::string(kHosts[host]);
  return "host byte " + Hex(host) + "h";
}

// SBC-5 and SPC-6: what the kernel's disk driver sends for somebody's I/O.
std::string ScsiOpcodeName(uint8_t opcode) {
  switch (opcode) {
    case 0x08:
      return "READ(6)";
    case 0x0a:
      return "WRITE(6)";
    case 0x28:
      return "READ(10)";
    case 0x2a:
      return "WRITE(10)";
    case 0x35:
      return "SYNCHRONIZE CACHE(10)";
    case 0x41:
      return "WRITE SAME(10)";
    case 0x42:
      return "UNMAP";
    case 0x7f:
      return "READ(32) or WRITE(32)";
    case 0x88:
      return "READ(16)";
    case 0x8a:
      return "WRITE(16)";
    case 0x91:
      return "SYNCHRONIZE CACHE(16)";
    case 0x93:
      return "WRITE SAME(16)";
    case 0x94:
      return "ZBC OUT";
    case 0xa8:
      return "READ(12)";
    case 0xaa:
      return "WRITE(12)";
    default:
      return "command " + Hex(opcode) + "h";
  }
}

std::string AdditionalSenseName(uint8_t asc, uint8_t ascq) {
  std::string_view words = FindCode(asc, ascq);
  if (words.empty()) words = FindCode(asc, kAny);
  return std::string(words);
}

std::string SenseText(uint8_t key, uint8_t asc, uint8_t ascq) {
  const std::string words = AdditionalSenseName(asc, ascq);
  char codes[16];
  std::snprintf(codes, sizeof codes, " (%X/%02X/%02X)", key & 0xf, asc, ascq);
  return SenseKeyName(key) + (words.empty() ? "" : ", " + words) + codes;
}

std::string ScsiErrorText(const ffdc_scsi_error& error) {
  std::string text = error.host == 0 ? "" : ScsiHostName(error.host);
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (error.response != 0) {
    add(SenseText(error.key, error.asc, error.ascq));
  } else if (error.status != 0) {
    add(ScsiStatusName(error.status));
  }
  return text;
}

bool IsRoutineScsiAnswer(uint32_t detail) {
  const auto host = static_cast<uint8_t>(detail >> 24 & 0x7f);
  const auto high = static_cast<uint8_t>(detail >> 16);
  if (host != 0) return false;
  if ((detail & FFDC_SCSI_SENSE) == 0)
    return high == kBusy || high == kTaskSetFull || high == kReservationConflict;
  const auto asc = static_cast<uint8_t>(detail >> 8);
  const auto ascq = static_cast<uint8_t>(detail);
  switch (high) {
    case kRecovered:
    case kUnitAttention:
      return true;
    case kNotReady:
      return asc == 0x04 && (ascq == 0x01 || ascq == 0x02 || ascq == 0x11 || ascq == 0x14 || ascq == 0x1a);
    default:
      return false;
  }
}

}  // namespace ffdc
