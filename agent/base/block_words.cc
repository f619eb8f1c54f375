// SPDX-License-Identifier: Apache-2.0
#include "base/block_words.h"

#include <string_view>

namespace ffdc {
namespace {

// enum req_op in include/linux/blk_types.h. 7 was write-same before it became
// zone append (which had been 13), and the zone operations 10 to 19 were
// renumbered more than once.
std::string_view StableOp(uint8_t op) {
  switch (op) {
    case 0:
      return "read";
    case 1:
      return "write";
    case 2:
      return "flush";
    case 3:
      return "discard";
    case 5:
      return "secure erase";
    case 9:
      return "write zeroes";
    case 34:
      return "driver in";
    case 35:
      return "driver out";
    default:
      return {};
  }
}

// blk_status_t in include/linux/blk_types.h with the names of blk_errors[] in
// block/blk-core.c, to which the kernel's message adds " error". From 14 on the
// numbers moved when zone and offline states came and went.
std::string_view StableStatus(uint8_t status) {
  switch (status) {
    case 0:
      return "ok";
    case 1:
      return "operation not supported error";
    case 2:
      return "timeout error";
    case 3:
      return "critical space allocation error";
    case 4:
      return "recoverable transport error";
    case 5:
      return "critical target error";
    case 6:
      return "critical nexus error";
    case 7:
      return "critical medium error";
    case 8:
      return "protection error";
    case 9:
      return "kernel resource error";
    case 10:
      return "I/O error";
    case 11:
      return "dm internal retry error";
    case 12:
      return "nonblocking retry error";
    case 13:
      return "device resource error";
    default:
      return {};
  }
}

}  // namespace

std::string BlockOpName(uint8_t op) {
  const std::string_view word = StableOp(op);
  return word.empty() ? "op " + std::to_string(op) : std::string(word);
}

std::string BlockStatusName(uint8_t status) {
  const std::string_view word = StableStatus(status);
  return word.empty() ? "status " + std::to_string(status) : std::string(word);
}

}  // namespace ffdc
