// SPDX-License-Identifier: Apache-2.0
#include "capture/privacy.h"

#include <algorithm>
#include <cerrno>

#include "base/fs.h"
#include "capture/cms.h"
#include "capture/redact_rules.h"

namespace ffdc {
namespace {

// All of them travel to each seal, in one argument.
constexpr size_t kMaxRecipients = 16;
constexpr size_t kMaxCertificateBytes = 4096;
constexpr size_t kMaxFileBytes = 256u << 10;
constexpr size_t kMaxRulesBytes = 32u << 10;

}  // namespace

Result<CapturePrivacy> LoadPrivacy(const std::vector<std::string>& certificate_files,
                                   const std::string& redact_file) {
  if (certificate_files.size() > kMaxRecipients)
    return Fail("store.encrypt_to names " + std::to_string(certificate_files.size()) +
                    " certificates: at most " + std::to_string(kMaxRecipients) + " are possible",
                EINVAL);
  CapturePrivacy privacy;
  for (const std::string& path : certificate_files) {
    const std::string what = "store.encrypt_to: cannot encrypt captures to " + path;
    const auto pem = ReadFile(path, kMaxFileBytes);
    if (!pem) return Unexpected(pem.error().In(what));
    auto der = ParseRecipient(*pem);
    if (!der) return Unexpected(der.error().In(what));
    if (der->size() > kMaxCertificateBytes)
      return Fail(what + ": it has " + std::to_string(der->size()) + " bytes, more than " +
                      std::to_string(kMaxCertificateBytes) + ": name a smaller certificate",
                  EINVAL);
    auto& known = privacy.encrypt_to;
    if (std::find(known.begin(), known.end(), *der) != known.end())
      return Fail(what + ": the same certificate is named twice: take one of them out", EINVAL);
    known.push_back(std::move(*der));
  }
  if (redact_file.empty()) return privacy;
  auto rules = ReadFile(redact_file, kMaxRulesBytes + 1);
  if (!rules) return Unexpected(rules.error().In("capture.redact: cannot read the rules in " + redact_file));
  if (rules->size() > kMaxRulesBytes)
    return Fail("capture.redact: " + redact_file + " is larger than 32 KiB: take rules out", EINVAL);
  auto parsed = ParseRedactRules(*rules, redact_file);
  if (!parsed) return Unexpected(parsed.error().In("capture.redact"));
  privacy.redact = std::move(*rules);
  return privacy;
}

}  // namespace ffdc
