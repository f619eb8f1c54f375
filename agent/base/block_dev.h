// SPDX-License-Identifier: Apache-2.0
// What numbers and names of block devices say by themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ffdc {

// "8:16" -> major << 20 | minor.
std::optional<uint32_t> ParseDev(std::string_view text);
// major << 20 | minor -> "8:16".
std::string FormatDev(uint32_t dev);

// "nvme0n1" of "nvme0c2n1", one of its paths: no sysfs link leads from one to the
// other. Empty for all other names.
std::string NvmeHead(const std::string& name);

}  // namespace ffdc
