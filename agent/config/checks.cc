// SPDX-License-Identifier: Apache-2.0
#include "config/checks.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/endpoint.h"
#include "base/name.h"
#include "base/store_url.h"
#include "base/text.h"
#include "config/settings.h"

namespace ffdc::config {
namespace {

bool IsPrintable(unsigned char c) { return c >= 0x20 && c < 0x7f; }

// Values become file names, keys, JSON and messages; ASCII is worth no quoting rules.
bool AllPrintable(std::string_view value) { return std::all_of(value.begin(), value.end(), IsPrintable); }

std::string Shown(std::string_view value) {
  std::string shown;
  for (const char c : value.substr(0, 80)) shown += IsPrintable(static_cast<unsigned char>(c)) ? c : '?';
  return "\"" + shown + (value.size() > 80 ? "...\"" : "\"");
}

}  // namespace

Result<> CheckName(std::string_view value) {
  if (!IsNodeName(value)) {
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
  if (value.starts_with(kRadosScheme)) {
    if (auto url = ParseRadosUrl(value); !url)
      return Fail(url.error().message + ", not " + Shown(value), EINVAL);
    return {};
  }
  if (value.starts_with(kDirScheme) && CheckPath(value.substr(kDirScheme.size()))) return {};
  return Fail(
      "must be \"dir:\" and an absolute path, such as \"dir:/var/lib/ffdc/store\", or \"rados://\" and a "
      "Ceph "
      "pool, not " +
          Shown(value),
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

Result<> CheckUnit(std::string_view value) {
  const auto is_unit_character = [](char c) {
    return IsNameCharacter(c) || c == ':' || c == '@' || c == '\\';
  };
  const size_t dot = value.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == value.size() || value.size() > 255 ||
      !std::all_of(value.begin(), value.end(), is_unit_character)) {
    return Fail("must hold names of systemd units, such as \"nfs-server.service\", not " + Shown(value),
                EINVAL);
  }
  return {};
}

Result<> CheckEndpoint(std::string_view value) {
  const size_t colon = value.rfind(':');
  bool good = colon != std::string_view::npos;
  if (good) {
    std::string host(value.substr(0, colon));
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    std::array<unsigned char, sizeof(in6_addr)> address{};
    const auto port = ParseNumber<uint16_t>(value.substr(colon + 1));
    good = inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), address.data()) == 1 && port && *port != 0;
  }
  // No names: the agent may not wait for a name server that may be what failed.
  if (!good)
    return Fail(
        R"(must hold addresses with ports, such as "10.0.0.1:3260" or "[fd00::1]:2379", not )" + Shown(value),
        EINVAL);
  return {};
}

Result<> CheckDbUrl(std::string_view value) {
  if (value == "embedded") return {};
  for (const std::string_view scheme : {"etcd://", "etcds://"}) {
    if (value.starts_with(scheme) && AllPrintable(value) && ParseEndpoints(value.substr(scheme.size())))
      return {};
  }
  return Fail(
      "must be \"embedded\" or addresses of etcd such as \"etcd://10.0.0.1:2379,10.0.0.2:2379\", not " +
          Shown(value),
      EINVAL);
}

Result<> CheckListen(std::string_view value) {
  if (value.empty() || CheckEndpoint(value)) return {};
  return Fail("must be an address with a port, such as \"10.0.0.1:7420\", not " + Shown(value), EINVAL);
}

Result<> CheckOptionalPath(std::string_view value) {
  if (value.empty()) return {};
  return CheckPath(value);
}

Result<> CheckSubscriber(std::string_view value) {
  constexpr size_t kMaxUrl = 2048;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!value.starts_with(scheme)) continue;
    const std::string_view server =
        value.substr(scheme.size(), value.find_first_of("/?#", scheme.size()) - scheme.size());
    // A password would be shown with the configuration.
    if (!server.empty() && server.find('@') == std::string_view::npos && AllPrintable(value) &&
        value.find(' ') == std::string_view::npos && value.size() <= kMaxUrl)
      return {};
  }
  return Fail(
      "must hold URLs without a user, such as \"https://hooks.example.org/ffdc\", not " + Shown(value),
      EINVAL);
}

Result<> CheckSeverity(std::string_view value) {
  if (value == "info" || value == "warning" || value == "critical") return {};
  return Fail(R"(must be "info", "warning" or "critical", not )" + Shown(value), EINVAL);
}

Result<> CheckPattern(std::string_view value) {
  constexpr size_t kMaxBytes = 256;
  const bool fits = !value.empty() && value.size() <= kMaxBytes &&
                    std::none_of(value.begin(), value.end(), [](unsigned char c) { return c <= ' '; });
  if (fits) return {};
  return Fail(R"(must be a name or a pattern such as "io.*", not )" + Shown(value), EINVAL);
}

Result<> CheckResourceLimits(std::string_view value) {
  if (const auto limits = ParseResourceLimits(value); !limits)
    return Fail(limits.error().message + ", not " + Shown(value), EINVAL);
  return {};
}

Result<> CheckCalendar(std::string_view value) {
  if (value.size() > 256 || !AllPrintable(value))
    return Fail("must be a calendar expression such as \"daily\" or \"Mon 03:00\", not " + Shown(value),
                EINVAL);
  return {};
}

}  // namespace ffdc::config

namespace ffdc {

Result<ResourceLimits> ParseResourceLimits(std::string_view text) {
  const std::string usage =
      "must hold a name and the percentages to raise, to be critical and to clear, such as "
      "\"/srv/data 85 95 80\"";
  ResourceLimits limits;
  // From the end: a mount point may hold blanks.
  for (uint32_t* percent : {&limits.clear_percent, &limits.critical_percent, &limits.raise_percent}) {
    const size_t blank = text.rfind(' ');
    if (blank == std::string_view::npos) return Fail(usage, EINVAL);
    const auto number = ParseNumber<uint32_t>(text.substr(blank + 1));
    if (!number || *number > 100) return Fail(usage, EINVAL);
    *percent = *number;
    text = text.substr(0, blank);
  }
  limits.name = text;
  if (Trim(text).empty() || Trim(text) != text || !config::AllPrintable(text)) return Fail(usage, EINVAL);
  if (limits.clear_percent >= limits.raise_percent || limits.raise_percent > limits.critical_percent)
    return Fail("must clear below where it raises, and raise at most where it is critical", EINVAL);
  return limits;
}

}  // namespace ffdc
