// SPDX-License-Identifier: Apache-2.0
#include "base/block_dev.h"

#include "base/text.h"
#include "ffdc/abi/block.h"

namespace ffdc {

std::optional<uint32_t> ParseDev(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = ParseNumber<uint32_t>(text.substr(0, colon));
  const auto minor = ParseNumber<uint32_t>(text.substr(colon + 1));
  if (!major || *major >= 1u << (32 - FFDC_DEV_MINOR_BITS)) return std::nullopt;
  if (!minor || *minor >= 1u << FFDC_DEV_MINOR_BITS) return std::nullopt;
  return *major << FFDC_DEV_MINOR_BITS | *minor;
}

std::string FormatDev(uint32_t dev) {
  return std::to_string(FFDC_DEV_MAJOR(dev)) + ":" + std::to_string(FFDC_DEV_MINOR(dev));
}

std::string NvmeHead(const std::string& name) {
  constexpr std::string_view kDriver = "nvme";
  if (!name.starts_with(kDriver)) return {};
  const size_t path = name.find('c', kDriver.size());
  const size_t name_space = name.find('n', kDriver.size());
  if (path == std::string::npos || name_space == std::string::npos || path > name_space) return {};
  return name.substr(0, path) + name.substr(name_space);
}

}  // namespace ffdc
