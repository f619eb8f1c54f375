// SPDX-License-Identifier: Apache-2.0
#include "store/layout.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/clock.h"
#include "base/proto_json.h"
#include "base/spool_layout.h"
#include "base/text.h"
#include "base/uuid.h"

namespace ffdc {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr size_t kSha256Digits = 64;
constexpr size_t kXxh3Digits = 32;

const char* WhyNoName(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kMaxNameBytes) return "it is longer than 64 bytes";
  if (name == "." || name == ".." || name == kIncidentFile) return "it has a meaning of its own";
  const bool odd = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || byte == '/';
  });
  return odd ? "it contains '/' or a control character" : nullptr;
}

}  // namespace

Result<> CheckName(std::string_view what, std::string_view name) {
  const char* why = WhyNoName(name);
  if (why == nullptr) return {};
  return Fail("the " + std::string(what) + " '" + std::string(name) +
                  "' cannot be a folder's name in the store: " + why + ": change it in [node]",
              EINVAL);
}

Result<> CheckIncidentId(std::string_view id) {
  if (!IsUuid(id)) return Fail("'" + std::string(id) + "' is not an incident's id (a UUID)", EINVAL);
  return {};
}

Result<v1::Manifest> ParseManifest(std::string_view json) {
  v1::Manifest manifest;
  FFDC_TRY(FromJson(json, &manifest));
  if (manifest.format() == 0) return Fail("format is missing");
  FFDC_TRY(CheckIncidentId(manifest.incident_id()));
  FFDC_TRY(CheckName("cluster name", manifest.cluster()));
  FFDC_TRY(CheckName("node name", manifest.node()));
  if (!IsArchiveName(manifest.archive()))
    return Fail(std::string("archive is neither ") + kArchiveFile + " nor " + kEncryptedArchiveFile);
  if (!IsHex(manifest.archive_sha256(), kSha256Digits))
    return Fail("archive_sha256 is not 64 lower-case hex digits");
  if (!manifest.archive_xxh3_128().empty() && !IsHex(manifest.archive_xxh3_128(), kXxh3Digits))
    return Fail("archive_xxh3_128 is not 32 lower-case hex digits");
  for (const auto& file : manifest.files()) {
    if (file.name().empty()) return Fail("a file without a name");
    if (!IsHex(file.sha256(), kSha256Digits))
      return Fail("sha256 of " + file.name() + " is not 64 lower-case hex digits");
  }
  return manifest;
}

std::string ClusterFolder(const std::string& cluster) { return "v1/" + cluster; }

std::string IncidentFolder(const std::string& incident_id) {
  return FormatDate(UuidWallNs(incident_id)) + "/" + incident_id;
}

std::string RandomSuffix() {
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = SystemClock().MonotonicNs();
  std::array<char, 17> text{};
  snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(random));
  return text.data();
}

}  // namespace ffdc
