// SPDX-License-Identifier: Apache-2.0
// The node's own certificate, and the CA that signed those of all nodes. PEM.
#pragma once

#include <string>

#include "base/certificate.h"
#include "base/result.h"

namespace ffdc {

struct TlsIdentity {
  std::string ca;
  std::string certificate;
  std::string key;
};

// Reads the three files, and checks that the certificate is for `node` and good now. Blocks: at the start
// only.
Result<TlsIdentity> LoadTls(const std::string& ca_path, const std::string& certificate_path,
                            const std::string& key_path, const std::string& node);
// The private key of the (first) CA in ca_pem: with it this node can sign for others. Blocks: at the start
// only.
Result<std::string> LoadCaKey(const std::string& key_path, const std::string& ca_pem);

}  // namespace ffdc
