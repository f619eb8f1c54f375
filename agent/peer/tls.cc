// SPDX-License-Identifier: Apache-2.0
#include "peer/tls.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/freed.h"
#include "base/fs.h"

namespace ffdc {
namespace {

using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

BioPtr Reader(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

X509Ptr Parse(const std::string& pem) {
  return X509Ptr(PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr));
}

std::string Text(const ASN1_STRING* string) {
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(string));
  return {data, static_cast<size_t>(ASN1_STRING_length(string))};
}

std::vector<std::string> NamesOf(X509* certificate) {
  std::vector<std::string> names;
  const NamesPtr alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.push_back(Text(name->d.dNSName));
  }
  if (!names.empty()) return names;
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) names.push_back(Text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return names;
}

std::string TimeText(const ASN1_TIME* time) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  std::array<char, 64> text{};
  ASN1_TIME_print(out.get(), time);
  const int got = BIO_read(out.get(), text.data(), static_cast<int>(text.size()) - 1);
  return {text.data(), static_cast<size_t>(std::max(got, 0))};
}

Result<std::string> ReadPem(const std::string& path, const std::string& what) {
  auto text = ReadFile(path, 1u << 20);
  if (!text) return Unexpected(text.error().In("cannot read the " + what + " (section [tls])"));
  return text;
}

}  // namespace

Result<CertificateFacts> ReadCertificate(const std::string& pem) {
  const X509Ptr certificate = Parse(pem);
  if (!certificate) return Fail("it holds no certificate in PEM", EINVAL);
  CertificateFacts facts;
  facts.names = NamesOf(certificate.get());
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate.get(), &der);
  if (length < 0) return Fail("its certificate cannot be encoded", EINVAL);
  Sha256 digest;
  digest.Update(der, static_cast<size_t>(length));
  OPENSSL_free(der);
  facts.sha256 = digest.HexDigest();
  facts.not_after = TimeText(X509_get0_notAfter(certificate.get()));
  facts.expired = X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0;
  return facts;
}

Result<TlsIdentity> LoadTls(const std::string& ca_path, const std::string& certificate_path,
                            const std::string& key_path, const std::string& node) {
  TlsIdentity identity;
  FFDC_ASSIGN(identity.ca, ReadPem(ca_path, "CA's certificate"));
  FFDC_ASSIGN(identity.certificate, ReadPem(certificate_path, "node's certificate"));
  FFDC_ASSIGN(identity.key, ReadPem(key_path, "node's private key"));
  if (!Parse(identity.ca)) return Fail("tls.ca " + ca_path + " holds no certificate in PEM", EINVAL);
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
  const KeyPtr key(PEM_read_bio_PrivateKey(Reader(identity.key).get(), nullptr, nullptr, nullptr));
  if (!key)
    return Fail("tls.key " + key_path + " holds no private key in PEM (without a passphrase)", EINVAL);
  if (X509_check_private_key(Parse(identity.certificate).get(), key.get()) != 1)
    return Fail("tls.key " + key_path + " does not belong to tls.cert " + certificate_path, EINVAL);
  return identity;
}

}  // namespace ffdc
