// SPDX-License-Identifier: Apache-2.0
#include "base/certificate.h"

#include <ctime>

#include "base/fs.h"
#include "base/openssl.h"

namespace ffdc {
namespace {

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
  ASN1_TIME_print(out.get(), time);
  return TextOf(out.get());
}

int64_t TimeSeconds(const ASN1_TIME* time) {
  std::tm fields{};
  return ASN1_TIME_to_tm(time, &fields) == 1 ? timegm(&fields) : 0;
}

}  // namespace

Result<CertificateFacts> ReadCertificate(const std::string& pem) {
  const X509Ptr certificate = ParseCertificate(pem);
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
  facts.not_after_s = TimeSeconds(X509_get0_notAfter(certificate.get()));
  facts.expired = X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0;
  return facts;
}

Result<> CheckKeyOf(const std::string& certificate_pem, const std::string& key_pem) {
  const X509Ptr certificate = ParseCertificate(certificate_pem);
  if (!certificate) return Fail("there is no certificate in PEM", EINVAL);
  const KeyPtr key = ParseKey(key_pem);
  if (!key) return Fail("it holds no private key in PEM (without a passphrase)", EINVAL);
  const bool same = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!same) return Fail("it does not belong to the certificate", EINVAL);
  return {};
}

Result<> CheckSignedBy(const std::string& certificate_pem, const std::string& ca_pem) {
  const X509Ptr certificate = ParseCertificate(certificate_pem);
  const X509Ptr ca = ParseCertificate(ca_pem);
  if (!certificate || !ca) return Fail("there is no certificate in PEM", EINVAL);
  const std::unique_ptr<X509_STORE, Freed<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  if (!store || !check || X509_STORE_add_cert(store.get(), ca.get()) != 1 ||
      X509_STORE_CTX_init(check.get(), store.get(), certificate.get(), nullptr) != 1)
    return FailOpenSsl("cannot check a certificate");
  X509_STORE_CTX_set_purpose(check.get(), X509_PURPOSE_SSL_SERVER);
  const bool good = X509_verify_cert(check.get()) == 1;
  ERR_clear_error();
  if (!good) return Fail(X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get())), EINVAL);
  return {};
}

}  // namespace ffdc
