// SPDX-License-Identifier: Apache-2.0
#include "base/certificate_maker.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

#include <initializer_list>
#include <utility>

#include "base/name.h"
#include "base/openssl.h"

namespace ffdc {
namespace {

constexpr long kSecondsOfDay = 24L * 3600;
// Clocks of nodes that meet for the first time may be apart.
constexpr long kBackdatedSeconds = 3600;
constexpr int kSerialBits = 159;  // RFC 5280: positive, at most 20 bytes
constexpr int kMinSecurityBits = 112;
constexpr long kX509v3 = 2;
constexpr long kRequestV1 = 0;

Result<std::string> ToPem(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), certificate) != 1) return FailOpenSsl("cannot write a certificate");
  return TextOf(out.get());
}

bool SetName(X509_NAME* name, const char* field, const std::string& text) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool SetSerial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> serial(BN_new());
  return serial && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetTimes(X509* certificate, int days, const ASN1_TIME* latest) {
  if (X509_gmtime_adj(X509_getm_notBefore(certificate), -kBackdatedSeconds) == nullptr) return false;
  if (X509_gmtime_adj(X509_getm_notAfter(certificate), days * kSecondsOfDay) == nullptr) return false;
  if (latest != nullptr && ASN1_TIME_compare(X509_get0_notAfter(certificate), latest) > 0)
    return X509_set1_notAfter(certificate, latest) == 1;
  return true;
}

using Extensions = std::initializer_list<std::pair<int, std::string>>;

bool AddExtensions(X509* certificate, X509* issuer, const Extensions& extensions) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [nid, value] : extensions) {
    const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return true;
}

Result<X509RequestPtr> ReadRequest(const std::string& request_pem, const std::string& node) {
  if (!IsNodeName(node)) return Fail("'" + node.substr(0, 64) + "' is no name of a node", EINVAL);
  if (request_pem.size() > kMaxRequestPemBytes) return Fail("its certificate request is too long", EINVAL);
  X509RequestPtr request(PEM_read_bio_X509_REQ(PemReader(request_pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!request) return Fail("it sent no certificate request in PEM", EINVAL);
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  const bool proven = key != nullptr && X509_REQ_verify(request.get(), key) == 1;
  ERR_clear_error();
  if (!proven) return Fail("its certificate request is not signed with its own key", EINVAL);
  const int kind = EVP_PKEY_get_base_id(key);
  if ((kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA) || EVP_PKEY_get_security_bits(key) < kMinSecurityBits)
    return Fail("the key of its certificate request is too weak: use EC P-256, or RSA of 2048 bits", EINVAL);
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  const ASN1_STRING* name = at < 0 ? nullptr : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  if (name == nullptr || std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)),
                                     static_cast<size_t>(ASN1_STRING_length(name))) != node)
    return Fail("its certificate request is for another name than '" + node + "'", EINVAL);
  return request;
}

}  // namespace

Result<std::string> MakePrivateKey() {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const BioPtr out(BIO_new(BIO_s_secmem()));
  if (!key || PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return FailOpenSsl("cannot make a private key");
  return TextOf(out.get());
}

Result<std::string> MakeCa(const std::string& cluster, const std::string& key_pem, int days) {
  const KeyPtr key = ParseKey(key_pem);
  if (!key) return Fail("cannot make a CA: there is no private key in PEM", EINVAL);
  const X509Ptr ca(X509_new());
  X509_NAME* name = ca ? X509_get_subject_name(ca.get()) : nullptr;
  if (name == nullptr || X509_set_version(ca.get(), kX509v3) != 1 || !SetSerial(ca.get()) ||
      !SetTimes(ca.get(), days, nullptr) || !SetName(name, "O", "FFDC cluster CA") ||
      !SetName(name, "CN", cluster) || X509_set_issuer_name(ca.get(), name) != 1 ||
      X509_set_pubkey(ca.get(), key.get()) != 1 ||
      !AddExtensions(ca.get(), ca.get(),
                     {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                      {NID_key_usage, "critical,keyCertSign,cRLSign"},
                      {NID_subject_key_identifier, "hash"}}) ||
      X509_sign(ca.get(), key.get(), EVP_sha256()) == 0)
    return FailOpenSsl("cannot make the certificate of a CA");
  return ToPem(ca.get());
}

Result<std::string> MakeCertificateRequest(const std::string& node, const std::string& key_pem) {
  const KeyPtr key = ParseKey(key_pem);
  if (!key) return Fail("cannot ask for a certificate: there is no private key in PEM", EINVAL);
  const X509RequestPtr request(X509_REQ_new());
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!request || X509_REQ_set_version(request.get(), kRequestV1) != 1 ||
      !SetName(X509_REQ_get_subject_name(request.get()), "CN", node) ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1)
    return FailOpenSsl("cannot make a certificate request for '" + node + "'");
  return TextOf(out.get());
}

Result<> CheckCertificateRequest(const std::string& request_pem, const std::string& node) {
  FFDC_TRY(ReadRequest(request_pem, node));
  return {};
}

Result<std::string> SignCertificateRequest(const std::string& request_pem, const std::string& node,
                                           const std::string& ca_pem, const std::string& ca_key_pem,
                                           int days) {
  FFDC_ASSIGN(const X509RequestPtr request, ReadRequest(request_pem, node));
  const X509Ptr ca = ParseCertificate(ca_pem);
  const KeyPtr ca_key = ParseKey(ca_key_pem);
  if (!ca || !ca_key) return Fail("cannot sign for '" + node + "': no CA with its key in PEM", EINVAL);
  const X509Ptr signed_one(X509_new());
  if (!signed_one || X509_set_version(signed_one.get(), kX509v3) != 1 || !SetSerial(signed_one.get()) ||
      !SetTimes(signed_one.get(), days, X509_get0_notAfter(ca.get())) ||
      !SetName(X509_get_subject_name(signed_one.get()), "CN", node) ||
      X509_set_issuer_name(signed_one.get(), X509_get_subject_name(ca.get())) != 1 ||
      X509_set_pubkey(signed_one.get(), X509_REQ_get0_pubkey(request.get())) != 1 ||
      !AddExtensions(signed_one.get(), ca.get(),
                     {{NID_basic_constraints, "critical,CA:FALSE"},
                      {NID_key_usage, "critical,digitalSignature"},
                      {NID_ext_key_usage, "serverAuth,clientAuth"},
                      {NID_subject_alt_name, "DNS:" + node},
                      {NID_subject_key_identifier, "hash"},
                      {NID_authority_key_identifier, "keyid:always"}}) ||
      X509_sign(signed_one.get(), ca_key.get(), EVP_sha256()) == 0)
    return FailOpenSsl("cannot sign a certificate for '" + node + "'");
  return ToPem(signed_one.get());
}

}  // namespace ffdc
