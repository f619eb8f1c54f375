// SPDX-License-Identifier: Apache-2.0
#include "base/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "base/certificate_maker.h"
#include "base/openssl.h"

namespace ffdc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kDay = 24 * 3600;

class CertificateTest : public testing::Test {
 protected:
  std::string ca_key_ = MakePrivateKey().value();
  std::string ca_ = MakeCa("prod", ca_key_).value();
  std::string key_ = MakePrivateKey().value();
  std::string request_ = MakeCertificateRequest("node1", key_).value();
};

std::string WhyNot(const Result<>& result) { return result ? "" : result.error().message; }

TEST_F(CertificateTest, ASignedRequestIsACertificateOfThatNodeAndKey) {
  const auto certificate = SignCertificateRequest(request_, "node1", ca_, ca_key_);
  ASSERT_TRUE(certificate) << certificate.error().message;
  const CertificateFacts facts = ReadCertificate(*certificate).value();
  EXPECT_THAT(facts.names, ElementsAre("node1"));
  EXPECT_FALSE(facts.expired);
  EXPECT_NEAR(static_cast<double>(facts.not_after_s - time(nullptr)), kNodeDays * kDay, 60);
  EXPECT_EQ(WhyNot(CheckSignedBy(*certificate, ca_)), "");
  EXPECT_EQ(WhyNot(CheckKeyOf(*certificate, key_)), "");
  EXPECT_THAT(WhyNot(CheckKeyOf(*certificate, ca_key_)), HasSubstr("does not belong"));
  EXPECT_THAT(WhyNot(CheckKeyOf(*certificate, "")), HasSubstr("no private key"));
  EXPECT_NE(facts.sha256, ReadCertificate(ca_)->sha256);
}

TEST_F(CertificateTest, AnotherCaOfTheSameNameIsNotTheOne) {
  const std::string other_key = MakePrivateKey().value();
  const std::string other = MakeCa("prod", other_key).value();
  const std::string certificate = SignCertificateRequest(request_, "node1", other, other_key).value();
  EXPECT_THAT(WhyNot(CheckSignedBy(certificate, ca_)), testing::Not(testing::IsEmpty()));
  EXPECT_THAT(WhyNot(CheckSignedBy("no certificate", ca_)), HasSubstr("no certificate in PEM"));
}

// A node must not be able to make certificates for others.
TEST_F(CertificateTest, ANodesCertificateIsNoCa) {
  const std::string certificate = SignCertificateRequest(request_, "node1", ca_, ca_key_).value();
  const std::string sub_key = MakePrivateKey().value();
  const std::string sub_request = MakeCertificateRequest("node2", sub_key).value();
  const auto forged = SignCertificateRequest(sub_request, "node2", certificate, key_);
  ASSERT_TRUE(forged);
  EXPECT_NE(WhyNot(CheckSignedBy(*forged, certificate)), "");
  EXPECT_NE(WhyNot(CheckSignedBy(*forged, ca_)), "");
}

TEST_F(CertificateTest, NoneIsGoodForLongerThanItsCa) {
  const std::string short_ca = MakeCa("prod", ca_key_, 10).value();
  const std::string certificate = SignCertificateRequest(request_, "node1", short_ca, ca_key_, 1000).value();
  EXPECT_EQ(ReadCertificate(certificate)->not_after_s, ReadCertificate(short_ca)->not_after_s);
}

TEST_F(CertificateTest, RequestsAreOfTheNameAndSignedWithTheirKey) {
  EXPECT_EQ(WhyNot(CheckCertificateRequest(request_, "node1")), "");
  EXPECT_THAT(WhyNot(CheckCertificateRequest(request_, "node2")), HasSubstr("another name than 'node2'"));
  EXPECT_THAT(WhyNot(CheckCertificateRequest(request_, "a/b")), HasSubstr("is no name of a node"));
  EXPECT_THAT(WhyNot(CheckCertificateRequest("", "node1")), HasSubstr("no certificate request in PEM"));
  EXPECT_THAT(WhyNot(CheckCertificateRequest(ca_, "node1")), HasSubstr("no certificate request in PEM"));
  EXPECT_THAT(WhyNot(CheckCertificateRequest(std::string(20000, 'x'), "node1")), HasSubstr("too long"));
  EXPECT_FALSE(SignCertificateRequest(request_, "node2", ca_, ca_key_));
}

std::string RequestWith(EVP_PKEY* public_key, EVP_PKEY* signer) {
  const X509RequestPtr request(X509_REQ_new());
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("node1"), -1, -1, 0);
  X509_REQ_set_pubkey(request.get(), public_key);
  X509_REQ_sign(request.get(), signer, EVP_sha256());
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(out.get(), request.get());
  return TextOf(out.get());
}

TEST_F(CertificateTest, RequestsForSomebodyElsesKeyAndWeakKeysAreRefused) {
  const KeyPtr own = ParseKey(key_);
  const KeyPtr others = ParseKey(ca_key_);
  EXPECT_EQ(WhyNot(CheckCertificateRequest(RequestWith(own.get(), own.get()), "node1")), "");
  EXPECT_THAT(WhyNot(CheckCertificateRequest(RequestWith(others.get(), own.get()), "node1")),
              HasSubstr("not signed with its own key"));
  const KeyPtr weak(EVP_RSA_gen(1024));
  EXPECT_THAT(WhyNot(CheckCertificateRequest(RequestWith(weak.get(), weak.get()), "node1")),
              HasSubstr("too weak"));
}

}  // namespace
}  // namespace ffdc
