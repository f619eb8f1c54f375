// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>

#include <algorithm>
#include <string_view>

#include "probe/devices.h"

namespace ffdc {

namespace {

bool GlobMatches(const std::string& pattern, const std::string& text) {
  return pattern == text || fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

std::string_view WithoutPrefix(std::string_view id) {
  const size_t colon = id.find(':');
  return colon == std::string_view::npos ? id : id.substr(colon + 1);
}

// A bare pattern is a glob of names only: as a glob of identities "sd*" would
// also catch a disk whose serial number starts that way.
bool Matches(const std::string& pattern, const BlockDevice& device) {
  constexpr std::string_view kType = "type:";
  constexpr std::string_view kDev = "/dev/";
  if (pattern.starts_with(kType)) return pattern.substr(kType.size()) == device.type;
  if (pattern.starts_with(kDev) && GlobMatches(pattern.substr(kDev.size()), device.name)) return true;
  if (pattern == device.type || GlobMatches(pattern, device.name)) return true;
  const std::string& id = device.subject.id();
  if (pattern == WithoutPrefix(id)) return true;
  return pattern.find(':') != std::string::npos && GlobMatches(pattern, id);
}

// Nothing a person would call a disk, and dozens of them on some machines.
bool NeedsInclude(const BlockDevice& device) {
  return device.type == "ram" || device.type == "zram" || device.type == "loop";
}

}  // namespace

void ApplyFilter(const DeviceFilter& filter, BlockDevice& device) {
  const auto matches = [&device](const std::string& pattern) { return Matches(pattern, device); };
  device.watched = false;
  if (const auto hit = std::find_if(filter.exclude.begin(), filter.exclude.end(), matches);
      hit != filter.exclude.end()) {
    device.reason = "excluded by devices.exclude '" + *hit + "'";
    return;
  }
  if (std::any_of(filter.include.begin(), filter.include.end(), matches)) {
    device.watched = true;
    device.reason.clear();
    return;
  }
  if (NeedsInclude(device)) {
    device.reason = device.type + " devices are watched only when devices.include names them";
    return;
  }
  device.watched = filter.include.empty();
  device.reason = device.watched ? "" : "not named by devices.include";
}

}  // namespace ffdc
