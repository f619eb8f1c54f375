// SPDX-License-Identifier: Apache-2.0
// The small CA of a cluster: keys (EC, P-256), requests (PKCS #10) and certificates, all in PEM.
// Nothing is read or written. Any thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace ffdc {

inline constexpr int kCaDays = 3650;
inline constexpr int kNodeDays = 1825;
inline constexpr size_t kMaxRequestPemBytes = 16u << 10;

Result<std::string> MakePrivateKey();
// A certificate, signed with its own key, that can sign those of nodes and nothing else.
Result<std::string> MakeCa(const std::string& cluster, const std::string& key_pem, int days = kCaDays);
Result<std::string> MakeCertificateRequest(const std::string& node, const std::string& key_pem);
// One that CheckCertificateRequest lets pass: of this node's name, signed with the key it is for, which is
// strong enough. EINVAL: it is not, and why.
Result<> CheckCertificateRequest(const std::string& request_pem, const std::string& node);
// The certificate of a node, for both ends of TLS, at most as long as the CA's own. Of the request only the
// key is taken: names and rights are what a node gets. Checks the request itself.
Result<std::string> SignCertificateRequest(const std::string& request_pem, const std::string& node,
                                           const std::string& ca_pem, const std::string& ca_key_pem,
                                           int days = kNodeDays);

}  // namespace ffdc
