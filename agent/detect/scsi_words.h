// SPDX-License-Identifier: Apache-2.0
// What SCSI devices and the adapters in front of them say, in the words of the
// standards (SPC-6, SAM-6) and of the kernel (include/scsi/scsi_status.h).
#pragma once

#include <cstdint>
#include <string>

#include "ffdc/abi/scsi.h"

namespace ffdc {

std::string SenseKeyName(uint8_t key);       // "MEDIUM ERROR"
std::string ScsiStatusName(uint8_t status);  // "CHECK CONDITION"
std::string ScsiHostName(uint8_t host);      // "DID_NO_CONNECT"
std::string ScsiOpcodeName(uint8_t opcode);  // "READ(10)"
// "unrecovered read error"; where the pair has no words here, those of its ASC; else empty.
std::string AdditionalSenseName(uint8_t asc, uint8_t ascq);
// "MEDIUM ERROR, unrecovered read error (3/11/00)".
std::string SenseText(uint8_t key, uint8_t asc, uint8_t ascq);
// Everything that a command's end says: the host byte where it is not DID_OK, then the
// sense data or else the status.
std::string ScsiErrorText(const ffdc_scsi_error& error);

// Of a storm key's detail (FFDC_SCSI_*_DETAIL). true: an answer that is part of a device's normal
// life, so that a command tried again after it says nothing of the device's health: a unit
// attention, a device that becomes ready, one that is busy or has a full queue, a recovered
// error, a reservation.
bool IsRoutineScsiAnswer(uint32_t detail);

}  // namespace ffdc
