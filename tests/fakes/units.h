// SPDX-License-Identifier: Apache-2.0
// Times and device numbers that tests speak of.
#pragma once

#include <cstdint>

#include "ffdc/abi/block.h"

namespace ffdc {

inline constexpr uint64_t kMs = 1'000'000;  // in ns
inline constexpr uint64_t kSecond = 1'000'000'000;

constexpr uint32_t Dev(uint32_t major, uint32_t minor) { return major << FFDC_DEV_MINOR_BITS | minor; }
inline constexpr uint32_t kSda = Dev(8, 0);
inline constexpr uint32_t kDm = Dev(253, 0);

}  // namespace ffdc
