// SPDX-License-Identifier: Apache-2.0
// The node's own certificate, and the CA that signed those of all nodes. PEM.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ffdc {

struct TlsIdentity {
  std::string ca;
  std::string certificate;
  std::string key;
};

struct CertificateFacts {
  std::vector<std::string> names;  // DNS names of its subjectAltName, else its common name
  std::string sha256;              // of its DER, lower-case hex
  std::string not_after;           // "Nov 27 18:00:00 2036 GMT"
  bool expired = false;
};

Result<CertificateFacts> ReadCertificate(const std::string& pem);
// Reads the three files, and checks that the certificate is for `node` and good now. Blocks: at the start
// only.
Result<TlsIdentity> LoadTls(const std::string& ca_path, const std::string& certificate_path,
                            const std::string& key_path, const std::string& node);

}  // namespace ffdc
