// SPDX-License-Identifier: Apache-2.0
// Encryption to certificates: CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM in DER, which
// `openssl cms -decrypt` opens. What goes through is not kept, however much it is.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

class CmsEncryptor {
 public:
  // certificates (DER): the key of any one of them opens it.
  static Result<std::unique_ptr<CmsEncryptor>> Create(const std::vector<std::string>& certificates);
  CmsEncryptor(const CmsEncryptor&) = delete;
  CmsEncryptor& operator=(const CmsEncryptor&) = delete;
  ~CmsEncryptor();

  // What is to be written by now; may be nothing.
  Result<std::string> Encrypt(std::string_view plain);
  // The rest, with the tag that proves that nothing was changed.
  Result<std::string> Finish();

 private:
  struct Parts;
  explicit CmsEncryptor(std::unique_ptr<Parts> parts);
  Result<std::string> TakeWritten();

  std::unique_ptr<Parts> parts_;
};

// A certificate that captures may be encrypted to, in DER. An error says why it is of no use for that.
Result<std::string> ParseRecipient(std::string_view pem);
// As the manifest names it.
Result<v1::Recipient> DescribeRecipient(const std::string& certificate);

}  // namespace ffdc
