// SPDX-License-Identifier: Apache-2.0
#include "capture/cms.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>

#include "base/freed.h"
#include "base/fs.h"

namespace ffdc {
namespace {

constexpr int kMinRsaBits = 2048;

using BioPtr = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using CmsPtr = std::unique_ptr<CMS_ContentInfo, Freed<CMS_ContentInfo_free>>;

// What OpenSSL says to it; empties its queue, so that nothing is taken for the next error.
Unexpected Failed(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  const char* why = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return Fail(what + ": " + (why != nullptr ? why : "unknown error"));
}

BioPtr ReadFrom(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<size_t>(text.size(), INT_MAX))));
}

std::string Drain(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string text(data, size > 0 ? static_cast<size_t>(size) : 0);
  (void)BIO_reset(memory);
  return text;
}

Result<X509Ptr> ParseDer(const std::string& der) {
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  X509Ptr certificate(d2i_X509(nullptr, &begin, static_cast<long>(der.size())));
  if (certificate == nullptr) return Failed("a recipient's certificate cannot be read");
  return certificate;
}

// "2027-03-01"
std::string Date(const ASN1_TIME* time) {
  struct tm parts {};
  std::array<char, 16> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(text.data(), text.size(), "%F", &parts) == 0)
    return "an unreadable date";
  return text.data();
}

Result<> CheckDates(const X509* certificate) {
  const ASN1_TIME* begin = X509_get0_notBefore(certificate);
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(end) <= 0)
    return Fail("it expired on " + Date(end) + ": name a certificate that is valid");
  if (X509_cmp_current_time(begin) >= 0)
    return Fail("it is valid only from " + Date(begin) + " on: check the clock, or name another certificate");
  return {};
}

// The key, and whether its owner meant it for this.
Result<> CheckKey(X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return Failed("its public key cannot be read");
  const int type = EVP_PKEY_get_base_id(key);
  if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)
    return Fail("its key is neither RSA nor EC, which encryption needs: name a certificate with such a key");
  if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < kMinRsaBits)
    return Fail("its RSA key has " + std::to_string(EVP_PKEY_get_bits(key)) + " bits, fewer than " +
                std::to_string(kMinRsaBits) + ": name a certificate with a longer key");
  // Without the extension any use is allowed.
  const uint32_t usage = X509_get_key_usage(certificate);
  const uint32_t wanted = type == EVP_PKEY_RSA ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT;
  if ((usage & wanted) == 0)
    return Fail(std::string("its keyUsage does not allow ") +
                (type == EVP_PKEY_RSA ? "keyEncipherment" : "keyAgreement") +
                ": name a certificate made for encryption");
  return {};
}

// RSA-OAEP in place of PKCS #1 v1.5, and SHA-256 for either kind of key.
bool AddRecipient(CMS_ContentInfo* cms, X509* certificate) {
  CMS_RecipientInfo* recipient = CMS_add1_recipient_cert(cms, certificate, CMS_KEY_PARAM);
  if (recipient == nullptr) return false;
  EVP_PKEY_CTX* key = CMS_RecipientInfo_get0_pkey_ctx(recipient);
  if (key == nullptr) return false;
  if (CMS_RecipientInfo_type(recipient) == CMS_RECIPINFO_AGREE)
    return EVP_PKEY_CTX_set_ecdh_kdf_md(key, EVP_sha256()) > 0;
  return EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_OAEP_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(key, EVP_sha256()) > 0;
}

}  // namespace

struct CmsEncryptor::Parts {
  BioPtr out{BIO_new(BIO_s_mem())};  // what is encrypted and not yet taken
  CmsPtr cms;
  BIO* chain = nullptr;  // plain text goes in here; ends in `out`

  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() {
    while (chain != nullptr && chain != out.get()) {
      BIO* next = BIO_pop(chain);
      BIO_free(chain);
      chain = next;
    }
  }
};

CmsEncryptor::CmsEncryptor(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CmsEncryptor::~CmsEncryptor() = default;

Result<std::unique_ptr<CmsEncryptor>> CmsEncryptor::Create(const std::vector<std::string>& certificates) {
  auto parts = std::make_unique<Parts>();
  constexpr unsigned kFlags = CMS_BINARY | CMS_PARTIAL | CMS_STREAM;
  parts->cms.reset(CMS_encrypt(nullptr, nullptr, EVP_aes_256_gcm(), kFlags));
  if (parts->out == nullptr || parts->cms == nullptr) return Failed("cannot set up encryption");
  for (const std::string& der : certificates) {
    FFDC_ASSIGN(const X509Ptr certificate, ParseDer(der));
    if (!AddRecipient(parts->cms.get(), certificate.get()))
      return Failed("cannot encrypt to a recipient's certificate");
  }
  parts->chain = BIO_new_CMS(parts->out.get(), parts->cms.get());
  if (parts->chain == nullptr) return Failed("cannot begin to encrypt");
  return std::unique_ptr<CmsEncryptor>(new CmsEncryptor(std::move(parts)));
}

Result<std::string> CmsEncryptor::TakeWritten() { return Drain(parts_->out.get()); }

Result<std::string> CmsEncryptor::Encrypt(std::string_view plain) {
  while (!plain.empty()) {
    const int size = static_cast<int>(std::min<size_t>(plain.size(), 1u << 20));
    const int taken = BIO_write(parts_->chain, plain.data(), size);
    if (taken <= 0) return Failed("cannot encrypt");
    plain.remove_prefix(static_cast<size_t>(taken));
  }
  return TakeWritten();
}

Result<std::string> CmsEncryptor::Finish() {
  if (BIO_flush(parts_->chain) != 1) return Failed("cannot complete the encryption");
  return TakeWritten();
}

Result<std::string> ParseRecipient(std::string_view pem) {
  const BioPtr source = ReadFrom(pem);
  const X509Ptr certificate(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return Failed("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  const X509Ptr another(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (another != nullptr)
    return Fail("it holds more than one certificate: name a file of its own for each recipient");
  FFDC_TRY(CheckDates(certificate.get()));
  FFDC_TRY(CheckKey(certificate.get()));
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (i2d_X509_bio(out.get(), certificate.get()) != 1) return Failed("it cannot be encoded");
  std::string der = Drain(out.get());
  // Whatever else may be in the way shows itself now, and not at the first failure.
  FFDC_ASSIGN(const auto trial, CmsEncryptor::Create({der}));
  FFDC_TRY(trial->Encrypt("trial"));
  FFDC_TRY(trial->Finish());
  return der;
}

Result<v1::Recipient> DescribeRecipient(const std::string& certificate) {
  FFDC_ASSIGN(const X509Ptr parsed, ParseDer(certificate));
  const BioPtr out(BIO_new(BIO_s_mem()));
  constexpr unsigned long kStyle = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  X509_NAME_print_ex(out.get(), X509_get_subject_name(parsed.get()), 0, kStyle);
  v1::Recipient recipient;
  recipient.set_subject(Drain(out.get()));
  Sha256 fingerprint;
  fingerprint.Update(certificate.data(), certificate.size());
  recipient.set_sha256(fingerprint.HexDigest());
  return recipient;
}

}  // namespace ffdc
