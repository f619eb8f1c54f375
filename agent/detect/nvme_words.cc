// SPDX-License-Identifier: Apache-2.0
#include "detect/nvme_words.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string_view>

namespace ffdc {
namespace {

constexpr uint16_t kCodeMask = 0x7ff;  // status code type and status code
constexpr uint16_t kDoNotRetry = 0x4000;

struct NvmeCode {
  uint16_t code;
  std::string_view words;
};

// Base specification 2.0, figures "Status Code" of each type; 2h is the NVM command set's media
// and data integrity errors, 3h path related. In order.
constexpr NvmeCode kNvmeCodes[] = {
    {0x000, "Successful Completion"},
    {0x001, "Invalid Command Opcode"},
    {0x002, "Invalid Field in Command"},
    {0x003, "Command ID Conflict"},
    {0x004, "Data Transfer Error"},
    {0x005, "Commands Aborted due to Power Loss Notification"},
    {0x006, "Internal Error"},
    {0x007, "Command Abort Requested"},
    {0x008, "Command Aborted due to SQ Deletion"},
    {0x009, "Command Aborted due to Failed Fused Command"},
    {0x00a, "Command Aborted due to Missing Fused Command"},
    {0x00b, "Invalid Namespace or Format"},
    {0x00c, "Command Sequence Error"},
    {0x00d, "Invalid SGL Segment Descriptor"},
    {0x00e, "Invalid Number of SGL Descriptors"},
    {0x00f, "Data SGL Length Invalid"},
    {0x010, "Metadata SGL Length Invalid"},
    {0x011, "SGL Descriptor Type Invalid"},
    {0x012, "Invalid Use of Controller Memory Buffer"},
    {0x013, "PRP Offset Invalid"},
    {0x014, "Atomic Write Unit Exceeded"},
    {0x015, "Operation Denied"},
    {0x016, "SGL Offset Invalid"},
    {0x018, "Host Identifier Inconsistent Format"},
    {0x019, "Keep Alive Timer Expired"},
    {0x01a, "Keep Alive Timeout Invalid"},
    {0x01b, "Command Aborted due to Preempt and Abort"},
    {0x01c, "Sanitize Failed"},
    {0x01d, "Sanitize In Progress"},
    {0x01e, "SGL Data Block Granularity Invalid"},
    {0x01f, "Command Not Supported for Queue in CMB"},
    {0x020, "Namespace is Write Protected"},
    {0x021, "Command Interrupted"},
    {0x022, "Transient Transport Error"},
    {0x023, "Command Prohibited by Command and Feature Lockdown"},
    {0x024, "Admin Command Media Not Ready"},
    {0x080, "LBA Out of Range"},
    {0x081, "Capacity Exceeded"},
    {0x082, "Namespace Not Ready"},
    {0x083, "Reservation Conflict"},
    {0x084, "Format In Progress"},
    {0x180, "Conflicting Attributes"},
    {0x181, "Invalid Protection Information"},
    {0x182, "Attempted Write to Read Only Range"},
    {0x183, "Command Size Limit Exceeded"},
    {0x1b8, "Zoned Boundary Error"},
    {0x1b9, "Zone Is Full"},
    {0x1ba, "Zone Is Read Only"},
    {0x1bb, "Zone Is Offline"},
    {0x1bc, "Zone Invalid Write"},
    {0x1bd, "Too Many Active Zones"},
    {0x1be, "Too Many Open Zones"},
    {0x1bf, "Invalid Zone State Transition"},
    {0x280, "Write Fault"},
    {0x281, "Unrecovered Read Error"},
    {0x282, "End-to-end Guard Check Error"},
    {0x283, "End-to-end Application Tag Check Error"},
    {0x284, "End-to-end Reference Tag Check Error"},
    {0x285, "Compare Failure"},
    {0x286, "Access Denied"},
    {0x287, "Deallocated or Unwritten Logical Block"},
    {0x288, "End-to-End Storage Tag Check Error"},
    {0x300, "Internal Path Error"},
    {0x301, "Asymmetric Access Persistent Loss"},
    {0x302, "Asymmetric Access Inaccessible"},
    {0x303, "Asymmetric Access Transition"},
    {0x360, "Controller Pathing Error"},
    {0x370, "Host Pathing Error"},
    {0x371, "Command Aborted By Host"},
};
static_assert(std::is_sorted(std::begin(kNvmeCodes), std::end(kNvmeCodes),
                             [](const NvmeCode& a, const NvmeCode& b) { return a.code < b.code; }));

std::string_view TypeWords(unsigned type) {
  switch (type) {
    case 0:
      return "Generic Command Status";
    case 1:
      return "Command Specific Status";
    case 2:
      return "Media and Data Integrity Error";
    case 3:
      return "Path Related Status";
    case 7:
      return "Vendor Specific Status";
    default:
      return "Reserved Status";
  }
}

}  // namespace

std::string NvmeStatusText(uint16_t status) {
  const uint16_t code = status & kCodeMask;
  const auto* const found =
      std::lower_bound(std::begin(kNvmeCodes), std::end(kNvmeCodes), code,
                       [](const NvmeCode& entry, uint16_t wanted) { return entry.code < wanted; });
  const unsigned type = code >> 8;
  char numbers[24];
  std::snprintf(numbers, sizeof numbers, " (%Xh/%02Xh)", type, code & 0xffu);
  const bool known = found != std::end(kNvmeCodes) && found->code == code;
  std::string text(known ? found->words : TypeWords(type));
  text += numbers;
  if ((status & kDoNotRetry) != 0) text += ", do not retry";
  return text;
}

}  // namespace ffdc
