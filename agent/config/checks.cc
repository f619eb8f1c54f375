// SPDX-License-Identifier: Apache-2.0
#include "config/checks.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace ffdc::config {
namespace {

bool IsPrintable(unsigned char c) { return c >= 0x20 && c < 0x7f; }

// Values become file names, keys, JSON and messages; ASCII is worth no quoting rules.
bool AllPrintable(std::string_view value) { return std::all_of(value.begin(), value.end(), IsPrintable); }

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

std::string Shown(std::string_view value) {
  std::string shown;
  for (const char c : value.substr(0, 80)) shown += IsPrintable(static_cast<unsigned char>(c)) ? c : '?';
  return "\"" + shown + (value.size() > 80 ? "...\"" : "\"");
}

}  // namespace

Result<> CheckName(std::string_view value) {
  if (value.empty() || value.size() > 64 || value.front() == '.' ||
      !std::all_of(value.begin(), value.end(), IsNameCharacter)) {
    return Fail("must be 1 to 64 letters, digits, '.', '_' or '-', the first not a '.', not " + Shown(value),
                EINVAL);
  }
  return {};
}

Result<> CheckPath(std::string_view value) {
  if (value.empty() || value.front() != '/' || !AllPrintable(value)) {
    return Fail("must be an absolute path of printable ASCII, not " + Shown(value), EINVAL);
  }
  return {};
}

Result<> CheckSocketPath(std::string_view value) {
  FFDC_TRY(CheckPath(value));
  // What gRPC's "unix:" addresses take without escapes.
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c == '/' || IsNameCharacter(c); })) {
    return Fail("must be a path of letters, digits, '/', '.', '_' and '-', not " + Shown(value), EINVAL);
  }
  constexpr size_t kMax = sizeof(sockaddr_un::sun_path) - 1;
  if (value.size() > kMax) {
    return Fail("must be a path of at most " + std::to_string(kMax) +
                    " bytes (a limit of Unix sockets), not " + std::to_string(value.size()),
                EINVAL);
  }
  return {};
}

Result<> CheckStoreUrl(std::string_view value) {
  constexpr std::string_view kScheme = "dir:";
  if (value.starts_with(kScheme) && CheckPath(value.substr(kScheme.size()))) return {};
  return Fail(
      "must be \"dir:\" and an absolute path, such as \"dir:/var/lib/ffdc/store\", not " + Shown(value),
      EINVAL);
}

Result<> CheckLogLevel(std::string_view value) {
  constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warning", "error"};
  if (std::find(kLevels.begin(), kLevels.end(), value) == kLevels.end()) {
    return Fail(R"(must be "debug", "info", "warning" or "error", not )" + Shown(value), EINVAL);
  }
  return {};
}

Result<> CheckDeviceEntry(std::string_view value) {
  if (value.empty() || value.size() > 256 || !AllPrintable(value)) {
    return Fail("must hold names (\"sda\"), WWIDs or types (\"loop\"), not " + Shown(value), EINVAL);
  }
  return {};
}

}  // namespace ffdc::config
