// SPDX-License-Identifier: Apache-2.0
// Captures sealed for certificates that openssl(1) made, and opened with openssl(1).
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/fs.h"
#include "base/spool_layout.h"
#include "capture/cms.h"
#include "capture/privacy.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kRsa[] = "-newkey rsa:2048";
constexpr char kEc[] = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";

class EncryptionTest : public CaptureFixture {
 protected:
  bool Shell(const std::string& command) const {
    return std::system(("cd " + root + " && { " + command + "; } >>shell.log 2>&1").c_str()) == 0;
  }
  // <name>.pem and <name>.key. Returns the certificate's path.
  std::string MakeCertificate(const std::string& name, const std::string& key = kRsa,
                              const std::string& more = "") const {
    EXPECT_TRUE(Shell("openssl req -x509 -nodes " + key + " -days 30 -subj /O=Example/CN=" + name + " " +
                      more + " -keyout " + name + ".key -out " + name + ".pem"))
        << ReadLine(root + "/shell.log");
    return root + "/" + name + ".pem";
  }
  // With the command that the documentation gives.
  bool Decrypt(const std::string& file, const std::string& name, const std::string& out) const {
    return Shell("openssl cms -decrypt -inform DER -in " + file + " -inkey " + name + ".key -recip " + name +
                 ".pem -out " + out);
  }
  std::vector<std::string> Load(const std::vector<std::string>& paths) const {
    auto privacy = LoadPrivacy(paths, "");
    EXPECT_TRUE(privacy) << privacy.error().message;
    return privacy ? privacy->encrypt_to : std::vector<std::string>();
  }
  std::string WhyRefused(const std::vector<std::string>& paths) const {
    const auto privacy = LoadPrivacy(paths, "");
    return privacy ? "it is not refused" : privacy.error().message;
  }
  // What `plain` becomes, piece by piece.
  std::string Encrypt(const std::string& plain, const std::vector<std::string>& certificates) const {
    auto encryptor = CmsEncryptor::Create(certificates);
    EXPECT_TRUE(encryptor) << encryptor.error().message;
    std::string encrypted;
    for (size_t at = 0; at < plain.size(); at += 100'000) {
      encrypted += (*encryptor)->Encrypt(std::string_view(plain).substr(at, 100'000)).value();
    }
    return encrypted + (*encryptor)->Finish().value();
  }
  std::string Noise(size_t size) const {
    std::mt19937_64 random(7);
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    return noise;
  }
  // Seals a capture for them; its folder.
  std::string Seal(std::vector<std::string> certificates) {
    options.privacy.encrypt_to = std::move(certificates);
    NewRunner();
    runner->Start(MakeJob(IncidentId(1)), {});
    RunToEnd();
    EXPECT_TRUE(sealed.contains(IncidentId(1)));
    return Sealed(IncidentId(1));
  }
};

TEST_F(EncryptionTest, ASealedCaptureOpensWithOpensslAndTar) {
  const std::string folder = Seal(Load({MakeCertificate("ops")}));
  EXPECT_THAT(ListFolder(folder).value(),
              ElementsAre("capture.tar.zst.cms", "incident.json", "manifest.json"));
  const v1::Manifest& manifest = sealed.at(IncidentId(1)).manifest();
  EXPECT_EQ(manifest.archive(), kEncryptedArchiveFile);
  uint64_t size_bytes = 0;
  EXPECT_EQ(Sha256File(folder + "/capture.tar.zst.cms", &size_bytes).value(), manifest.archive_sha256());
  EXPECT_EQ(size_bytes, manifest.archive_bytes());

  ASSERT_EQ(manifest.encrypted_to_size(), 1);
  EXPECT_EQ(manifest.encrypted_to(0).subject(), "CN=ops,O=Example");
  ASSERT_TRUE(Shell("openssl x509 -in ops.pem -outform DER -out ops.der"));
  EXPECT_EQ(manifest.encrypted_to(0).sha256(), Sha256File(root + "/ops.der").value());

  ASSERT_TRUE(Decrypt(folder + "/capture.tar.zst.cms", "ops", "capture.tar.zst"));
  ASSERT_TRUE(Shell("mkdir inside && tar -I zstd -x -C inside -f capture.tar.zst"));
  EXPECT_GT(manifest.files_size(), 0);
  for (const v1::CapturedFile& file : manifest.files())
    EXPECT_EQ(Sha256File(root + "/inside/" + file.name()).value(), file.sha256()) << file.name();
}

TEST_F(EncryptionTest, EveryByteComesBack) {
  const auto certificates = Load({MakeCertificate("ops")});
  for (const size_t size : {size_t{1}, size_t{4095}, size_t{5} << 20}) {
    const std::string plain = Noise(size);
    ASSERT_TRUE(WriteFile(root + "/x.cms", Encrypt(plain, certificates)));
    ASSERT_TRUE(Decrypt("x.cms", "ops", "x")) << size;
    EXPECT_TRUE(ReadFile(root + "/x").value() == plain) << size;
  }
}

TEST_F(EncryptionTest, AnyRecipientOpensItAndNobodyElse) {
  const std::string folder =
      Seal(Load({MakeCertificate("ops"), MakeCertificate("vendor", kEc), MakeCertificate("safe", kRsa)}));
  const std::string file = folder + "/capture.tar.zst.cms";
  MakeCertificate("stranger");
  ASSERT_TRUE(Decrypt(file, "ops", "by-ops"));
  ASSERT_TRUE(Decrypt(file, "vendor", "by-vendor"));
  ASSERT_TRUE(Decrypt(file, "safe", "by-safe"));
  EXPECT_GT(fs::file_size(root + "/by-ops"), 0u);
  EXPECT_EQ(Sha256File(root + "/by-ops").value(), Sha256File(root + "/by-vendor").value());
  EXPECT_EQ(Sha256File(root + "/by-ops").value(), Sha256File(root + "/by-safe").value());
  EXPECT_FALSE(Decrypt(file, "stranger", "by-stranger"));
  // A recipient's certificate is public: it opens nothing without its key.
  EXPECT_FALSE(Shell("openssl cms -decrypt -inform DER -in " + file +
                     " -inkey stranger.key -recip ops.pem -out by-thief && tar -I zstd -tf by-thief"));
}

TEST_F(EncryptionTest, WhatWasChangedIsRefused) {
  const auto certificates = Load({MakeCertificate("ops")});
  std::string encrypted = Encrypt(Noise(100'000), certificates);
  encrypted[encrypted.size() / 2] = static_cast<char>(encrypted[encrypted.size() / 2] ^ 1);
  ASSERT_TRUE(WriteFile(root + "/x.cms", encrypted));
  EXPECT_FALSE(Decrypt("x.cms", "ops", "x"));
}

// A capture may be larger than memory.
TEST_F(EncryptionTest, NothingIsKeptBack) {
  const auto certificates = Load({MakeCertificate("ops")});
  const auto encryptor = CmsEncryptor::Create(certificates).value();
  const std::string piece = Noise(1u << 20);
  size_t in = 0, out = 0;
  for (int i = 0; i < 64; ++i) {
    in += piece.size();
    out += encryptor->Encrypt(piece).value().size();
    EXPECT_LT(in, out + (64u << 10)) << "after piece " << i;
  }
}

TEST_F(EncryptionTest, ACertificateThatIsOfNoUseIsRefusedWithTheReason) {
  const std::string missing = root + "/missing.pem";
  EXPECT_THAT(WhyRefused({missing}), AllOf(HasSubstr(missing), HasSubstr("No such file")));

  MakeCertificate("ops");
  EXPECT_THAT(WhyRefused({root + "/ops.key"}),
              AllOf(HasSubstr("ops.key"), HasSubstr("no certificate in PEM")));
  EXPECT_THAT(WhyRefused({root + "/ops.pem", root + "/ops.pem"}), HasSubstr("named twice"));

  ASSERT_TRUE(Shell("cat ops.pem ops.pem >both.pem"));
  EXPECT_THAT(WhyRefused({root + "/both.pem"}), HasSubstr("more than one certificate"));

  EXPECT_THAT(WhyRefused({MakeCertificate("short", "-newkey rsa:1024")}), HasSubstr("1024 bits"));
  EXPECT_THAT(WhyRefused({MakeCertificate("signer", "-newkey ed25519")}), HasSubstr("neither RSA nor EC"));
  EXPECT_THAT(WhyRefused({MakeCertificate("web", kRsa, "-addext keyUsage=digitalSignature")}),
              HasSubstr("does not allow keyEncipherment"));
  EXPECT_THAT(WhyRefused({MakeCertificate("ecweb", kEc, "-addext keyUsage=digitalSignature")}),
              HasSubstr("does not allow keyAgreement"));
  EXPECT_THAT(Load({MakeCertificate("good", kRsa, "-addext keyUsage=keyEncipherment")}), SizeIs(1));

  // openssl req cannot make one in the past, openssl ca can.
  ASSERT_TRUE(
      Shell("touch index.txt && printf '[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\n"
            "new_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >ca.cnf && "
            "openssl req -new -newkey rsa:2048 -nodes -subj /CN=old -keyout old.key -out old.csr && "
            "openssl ca -batch -config ca.cnf -selfsign -keyfile old.key -create_serial -in old.csr "
            "-startdate 20200101000000Z -enddate 20210203000000Z -notext -out old.pem"));
  EXPECT_THAT(WhyRefused({root + "/old.pem"}), HasSubstr("expired on 2021-02-03"));

  EXPECT_THAT(WhyRefused(std::vector<std::string>(17, root + "/ops.pem")), HasSubstr("at most 16"));
}

TEST_F(EncryptionTest, WhatCannotBeEncryptedIsNotSealedInPlainText) {
  options.privacy.encrypt_to = {"no certificate"};
  NewRunner();
  runner->Start(MakeJob(IncidentId(1)), {});
  RunUntil([&] { return !runner->problems().empty() && runner->running() == 0; });
  EXPECT_THAT(runner->problems(), ElementsAre(HasSubstr("a recipient's certificate cannot be read")));
  EXPECT_THAT(sealed, IsEmpty());
  EXPECT_EQ(runner->waiting(), 1u);
  for (const auto& entry : fs::recursive_directory_iterator(options.spool_dir))
    EXPECT_TRUE(entry.is_directory()) << entry.path();

  // The next life, with a certificate that is good, seals it.
  const auto good = Load({MakeCertificate("ops")});
  options.privacy.encrypt_to = good;
  NewRunner();
  runner->Recover();
  RunToEnd();
  ASSERT_TRUE(sealed.contains(IncidentId(1)));
  EXPECT_EQ(sealed.at(IncidentId(1)).manifest().encrypted_to_size(), 1);
}

}  // namespace
}  // namespace ffdc::capture_test
