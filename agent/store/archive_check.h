// SPDX-License-Identifier: Apache-2.0
// Whether an archive's bytes are those that were sealed. By the manifest's XXH3, which costs a tenth of
// SHA-256 while an archive is on its way; by its SHA-256 where a manifest has no other sum.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/result.h"
#include "store/driver.h"

namespace ffdc {

class ArchiveCheck {
 public:
  // The manifest must outlive it.
  explicit ArchiveCheck(const v1::Manifest& manifest);
  // All bytes, in their order.
  void Update(std::string_view bytes);
  // At the end. Empty: they are. Else what differs.
  std::string WhyNot();

 private:
  const v1::Manifest& manifest_;
  uint64_t size_bytes_ = 0;
  Xxh3 xxh3_;
  std::optional<Sha256> sha256_;  // instead
};

// Of the rest of a source: the same answer.
Result<std::string> WhyNotArchive(ByteSource& source, const v1::Manifest& manifest);

// Empty: it is what the manifest says. Else what differs.
std::string WhyNotSha256(const Digest& in_manifest, const Digest& found);

}  // namespace ffdc
