// SPDX-License-Identifier: Apache-2.0
// What X.509 certificates say, and whether they belong together. PEM in; no file is read. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace ffdc {

struct CertificateFacts {
  std::vector<std::string> names;  // DNS names of its subjectAltName, else its common name
  std::string sha256;              // of its DER, lower-case hex
  std::string not_after;           // "Nov 27 18:00:00 2036 GMT"
  int64_t not_after_s = 0;         // the same, seconds since 1970
  bool expired = false;
};

// Of the first certificate in pem. Fails with EINVAL if there is none.
Result<CertificateFacts> ReadCertificate(const std::string& pem);
// The private key is that of the first certificate in certificate_pem. EINVAL: it is not, or is no key.
Result<> CheckKeyOf(const std::string& certificate_pem, const std::string& key_pem);
// Signed by this CA, good now, and meant for a server. EINVAL: it is not, with OpenSSL's reason.
Result<> CheckSignedBy(const std::string& certificate_pem, const std::string& ca_pem);

}  // namespace ffdc
