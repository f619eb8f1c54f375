// SPDX-License-Identifier: Apache-2.0
#include "peer/tls.h"

#include <algorithm>
#include <cerrno>

#include "base/fs.h"

namespace ffdc {
namespace {

Result<std::string> ReadPem(const std::string& path, const std::string& what) {
  auto text = ReadFile(path, 1u << 20);
  if (!text) return Unexpected(text.error().In("cannot read the " + what + " (section [tls])"));
  return text;
}

}  // namespace

Result<TlsIdentity> LoadTls(const std::string& ca_path, const std::string& certificate_path,
                            const std::string& key_path, const std::string& node) {
  TlsIdentity identity;
  FFDC_ASSIGN(identity.ca, ReadPem(ca_path, "CA's certificate"));
  FFDC_ASSIGN(identity.certificate, ReadPem(certificate_path, "node's certificate"));
  FFDC_ASSIGN(identity.key, ReadPem(key_path, "node's private key"));
  if (!ReadCertificate(identity.ca))
    return Fail("tls.ca " + ca_path + " holds no certificate in PEM", EINVAL);
  const auto facts = ReadCertificate(identity.certificate);
  if (!facts) return Unexpected(facts.error().In("tls.cert " + certificate_path));
  if (std::find(facts->names.begin(), facts->names.end(), node) == facts->names.end()) {
    return Fail("tls.cert " + certificate_path + " is for '" +
                    (facts->names.empty() ? std::string("nobody") : facts->names.front()) +
                    "', not for this node '" + node + "': issue one with the DNS name " + node,
                EINVAL);
  }
  if (facts->expired)
    return Fail("tls.cert " + certificate_path + " expired at " + facts->not_after + ": issue a new one",
                EINVAL);
  if (const auto key = CheckKeyOf(identity.certificate, identity.key); !key)
    return Unexpected(key.error().In("tls.key " + key_path + " of tls.cert " + certificate_path));
  return identity;
}

Result<std::string> LoadCaKey(const std::string& key_path, const std::string& ca_pem) {
  FFDC_ASSIGN(std::string key, ReadPem(key_path, "CA's private key"));
  if (const auto checked = CheckKeyOf(ca_pem, key); !checked)
    return Unexpected(checked.error().In("tls.ca_key " + key_path + " of tls.ca"));
  return key;
}

}  // namespace ffdc
