// SPDX-License-Identifier: Apache-2.0
// Words for the block layer's numbers, for whoever has a record of the flight
// recorder and no kernel to ask. Only numbers that mean the same on every kernel
// since 5.10 have a word; the others read "op 13", "status 17".
#pragma once

#include <cstdint>
#include <string>

namespace ffdc {

inline constexpr uint64_t kSectorBytes =
    512;  // sector_t, whatever blocks the disk has (include/linux/blk_types.h)

std::string BlockOpName(uint8_t op);          // REQ_OP_*: "read", "flush", ...
std::string BlockStatusName(uint8_t status);  // blk_status_t: "ok", else as dmesg says it: "I/O error", ...

}  // namespace ffdc
