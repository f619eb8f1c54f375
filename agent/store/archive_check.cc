// SPDX-License-Identifier: Apache-2.0
#include "store/archive_check.h"

namespace ffdc {
namespace {

constexpr size_t kCheckedBytes = 256u << 10;

std::string WhyNotSize(uint64_t in_manifest, uint64_t found) {
  if (found == in_manifest) return {};
  return "size differs: manifest says " + std::to_string(in_manifest) + " bytes, file has " +
         std::to_string(found);
}

std::string WhyNotSum(const char* name, const std::string& in_manifest, const std::string& found) {
  if (found == in_manifest) return {};
  return std::string(name) + " differs: manifest says " + in_manifest + ", file has " + found;
}

}  // namespace

ArchiveCheck::ArchiveCheck(const v1::Manifest& manifest) : manifest_(manifest) {
  if (manifest.archive_xxh3_128().empty()) sha256_.emplace();
}

void ArchiveCheck::Update(std::string_view bytes) {
  size_bytes_ += bytes.size();
  if (sha256_) {
    sha256_->Update(bytes.data(), bytes.size());
  } else {
    xxh3_.Update(bytes.data(), bytes.size());
  }
}

std::string ArchiveCheck::WhyNot() {
  if (auto why = WhyNotSize(manifest_.archive_bytes(), size_bytes_); !why.empty()) return why;
  if (sha256_) return WhyNotSum("SHA-256", manifest_.archive_sha256(), sha256_->HexDigest());
  return WhyNotSum("XXH3-128", manifest_.archive_xxh3_128(), xxh3_.HexDigest());
}

Result<std::string> WhyNotArchive(ByteSource& source, const v1::Manifest& manifest) {
  ArchiveCheck check(manifest);
  std::string chunk(kCheckedBytes, '\0');
  for (;;) {
    FFDC_ASSIGN(const size_t got, source.Read(chunk.data(), chunk.size()));
    if (got == 0) return check.WhyNot();
    check.Update(std::string_view(chunk).substr(0, got));
  }
}

std::string WhyNotSha256(const Digest& in_manifest, const Digest& found) {
  if (auto why = WhyNotSize(in_manifest.size_bytes, found.size_bytes); !why.empty()) return why;
  return WhyNotSum("SHA-256", in_manifest.sha256, found.sha256);
}

}  // namespace ffdc
