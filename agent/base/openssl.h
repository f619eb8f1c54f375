// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's objects, and PEM in and out of them. For .cc files only.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/freed.h"
#include "base/result.h"

namespace ffdc {

using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using X509RequestPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

// "what: OpenSSL's first reason", and forgets all of them.
inline Unexpected FailOpenSsl(const std::string& what) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return Fail(what + ": " + (reason == nullptr ? "OpenSSL refuses it" : reason), EINVAL);
}

// Reads text, which must live as long.
inline BioPtr PemReader(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}
// Nullptr: there is none. The first one counts.
inline X509Ptr ParseCertificate(const std::string& pem) {
  X509Ptr certificate(PEM_read_bio_X509(PemReader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}
// One with a passphrase counts as none: nobody is there to type it.
inline KeyPtr ParseKey(const std::string& pem) {
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  KeyPtr key(PEM_read_bio_PrivateKey(PemReader(pem).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  return key;
}
inline std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

}  // namespace ffdc
