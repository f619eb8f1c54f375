// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/fs.h"
#include "base/rapidjson.h"
#include "capture/privacy.h"
#include "capture/redact_record.h"
#include "capture/redactor.h"
#include "unit/capture/capture_fixture.h"

namespace ffdc::capture_test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kAll[] = R"(builtin = ["passwords", "tokens", "private_keys", "urls"])";
constexpr char kAlias[] = R"([alias]
secret = "the same on every node"
addresses = true
hosts = ["DB1"]
domains = ["example.com"]
)";

std::string Redact(const std::string& rules, const std::string& text, uint64_t* count = nullptr) {
  auto parsed = ParseRedactRules(rules, "redact.toml");
  if (!parsed) return parsed.error().message;
  Redactor redactor(std::move(*parsed));
  Redaction redaction;
  std::string out = redactor.Text(text, &redaction);
  if (count != nullptr) *count = redaction.redactions;
  return out;
}

bool IsJson(const std::string& text) { return !rapidjson::Document().Parse(text.c_str()).HasParseError(); }

std::string WhyRefused(const std::string& rules) {
  const auto parsed = ParseRedactRules(rules, "redact.toml");
  return parsed ? "it is not refused" : parsed.error().message;
}

TEST(RedactTest, PasswordsGoAndTheirNamesStay) {
  const auto redacted = [](const std::string& text) { return Redact(kAll, text); };
  EXPECT_EQ(redacted("mount -o user=x,password=hunter2 a"),
            "mount -o user=x,password=[redacted:passwords] a");
  EXPECT_EQ(redacted("DB_PASSWORD: 'two words' end"), "DB_PASSWORD: '[redacted:passwords]' end");
  EXPECT_EQ(redacted("run --db-password hunter2 --fast"), "run --db-password [redacted:passwords] --fast");
  EXPECT_EQ(redacted("client_secret_id = abc"), "client_secret_id = [redacted:passwords]");
  EXPECT_EQ(redacted("the password is wrong, no secret here"), "the password is wrong, no secret here");
}

TEST(RedactTest, WhatWasJsonStaysJson) {
  EXPECT_EQ(Redact(kAll, R"({"password":"hun\\ter2","a":1})"),
            R"({"password":"[redacted:passwords]","a":1})");
  EXPECT_EQ(Redact(kAll, R"({"args":"-o password=hunter2","a":1})"),
            R"({"args":"-o password=[redacted:passwords]","a":1})");
  EXPECT_EQ(Redact(kAll, R"({"args":"password=\"two words\" x"})"),
            R"({"args":"password=\"[redacted:passwords]\" x"})");
  EXPECT_EQ(Redact(kAll, R"({"password":null,"a":1})"), R"({"password":null,"a":1})");
}

// What stands behind an empty value is no value.
TEST(RedactTest, AnEmptyPasswordAtTheEndOfAStringSpoilsNoJson) {
  for (const char* line : {
           R"({"args":"-o password=","user":"bob"})",
           R"({"args":"-o password= " , "user":"bob"})",
           R"({"text":"password: ","next":"v"})",
           R"({"argv":["--password ","x"]})",
           R"({"text":"password=\\","next":"v"})",
           R"({"text":"token=","n":[1,true,null],"next":"v"})",
       })
    EXPECT_TRUE(IsJson(Redact(kAll, line))) << line << " became " << Redact(kAll, line);
  EXPECT_EQ(Redact(kAll, R"({"args":"-o password=","user":"bob"})"),
            R"({"args":"-o password=","user":"bob"})");
  EXPECT_EQ(Redact(kAll, R"({"args":"password=","more":"password=\"a,b\" c"})"),
            R"({"args":"password=","more":"password=\"[redacted:passwords]\" c"})");
  // Where it is no JSON, anything in quotes is one.
  EXPECT_EQ(Redact(kAll, R"(password=",x" y)"), R"(password="[redacted:passwords]" y)");
}

TEST(RedactTest, OwnPatternsSpoilNoJson) {
  constexpr char kRules[] =
      "[[pattern]]\nname = 'card'\nregex = '4\\d{3}'\n[[pattern]]\nname = 'rest'\nregex = 'from here.*'\n"
      "[[pattern]]\nname = 'n'\nregex = 'nn'\n";
  EXPECT_EQ(Redact(kRules, R"({"card":41114222,"b":-4000.5,"c":"4000"})"),
            R"({"card":"[redacted:card]","b":"[redacted:card]","c":"[redacted:card]"})");
  EXPECT_EQ(
      Redact(kRules, R"({"a":"x from here on","b":"all","c":7})"),
      R"({"a":"x [redacted:rest]","[redacted:rest]":"[redacted:rest]","[redacted:rest]":"[redacted:rest]"})");
  EXPECT_EQ(Redact(kRules, R"({"a":"1\nn2\u006enn"})"), R"({"a":"1[redacted:n]2\u006e[redacted:n]"})");
}

TEST(RedactTest, APrivateKeySpoilsNoJson) {
  for (const char* line : {
           R"({"a":"-----BEGIN PRIVATE KEY-----\"","b":1})",
           R"({"a":"-----BEGIN PRIVATE KEY-----\nM","b":"-----END PRIVATE KEY-----"})",
       }) {
    EXPECT_TRUE(IsJson(Redact(kAll, line))) << line << " became " << Redact(kAll, line);
    EXPECT_THAT(Redact(kAll, line), HasSubstr(R"("b":)"));
  }
}

TEST(RedactTest, TokensAndUrls) {
  EXPECT_THAT(Redact(kAll, "Authorization: Bearer abcdef123456"), Not(HasSubstr("abcdef123456")));
  EXPECT_EQ(Redact(kAll, "api_key=k1 x"), "api_key=[redacted:tokens] x");
  EXPECT_EQ(Redact(kAll, "id AKIAABCDEFGHIJKLMNOP."), "id [redacted:tokens].");
  EXPECT_EQ(Redact(kAll, "got eyJhbGciOiJI.eyJzdWIi.sig-n"), "got [redacted:tokens]");
  EXPECT_EQ(Redact(kAll, "ceph AQBvYlJmAAAAABAAc5cZ0o2PqEd0Xq1rYk8wWg== end"), "ceph [redacted:tokens] end");
  EXPECT_EQ(Redact(kAll, "curl https://me:pa@ss@host/x"), "curl https://[redacted:urls]@host/x");
  EXPECT_EQ(Redact(kAll, "see https://host:80/a@b"), "see https://host:80/a@b");
}

TEST(RedactTest, APrivateKeyGoesWithAllItsLines) {
  uint64_t count = 0;
  EXPECT_EQ(
      Redact(kAll,
             "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAAAA\n-----END RSA PRIVATE KEY----- b\n"
             "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
             &count),
      "a\n[redacted:private_keys]\n\n\n b\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(Redact(kAll, R"({"k":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","a":1})"),
            R"({"k":"[redacted:private_keys]\n","a":1})");
  EXPECT_EQ(Redact(kAll, R"({"k":"-----BEGIN PRIVATE KEY-----\nMII","a":1})"),
            R"({"k":"[redacted:private_keys]","a":1})");
  // One without an end does not take all that follows with it.
  std::string endless = "-----BEGIN PRIVATE KEY-----\n";
  for (int i = 0; i < 1500; ++i) endless += "line " + std::to_string(i) + "\n";
  EXPECT_THAT(Redact(kAll, endless), AllOf(Not(HasSubstr("line 999\n")), HasSubstr("line 1000\n")));
}

TEST(RedactTest, OwnPatterns) {
  constexpr char kRules[] =
      "[[pattern]]\nname = 'customer'\nregex = 'customer-\\d+'\n[[pattern]]\nname = 'vm'\nregex = "
      "'vm=(\\w+)'\n";
  uint64_t count = 0;
  EXPECT_EQ(Redact(kRules, "customer-12 vm=blue customer-3\nvm=", &count),
            "[redacted:customer] vm=[redacted:vm] [redacted:customer]\nvm=");
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(Redact(kRules, "bytes \xff\xfe customer-1"), "bytes \xff\xfe [redacted:customer]");
}

TEST(RedactTest, AddressesHaveOneAliasEach) {
  const auto alias = [](const std::string& text) { return Redact(kAlias, text); };
  const std::string ip = alias("10.0.0.1");
  EXPECT_THAT(ip, MatchesRegex("ip-[0-9a-f]{10}"));
  EXPECT_NE(alias("10.0.0.2"), ip);
  EXPECT_EQ(alias("from 10.0.0.1:3260, to [::ffff:10.0.0.1]:80."),
            "from " + ip + ":3260, to [" + ip + "]:80.");
  EXPECT_EQ(alias(R"({"a":"x\n10.0.0.1\t","b":"\u000010.0.0.1"})"),
            R"({"a":"x\n)" + ip + R"(\t","b":"\u0000)" + ip + R"("})");
  const std::string ip6 = alias("fd00::1");
  EXPECT_THAT(ip6, MatchesRegex("ip-[0-9a-f]{10}"));
  EXPECT_EQ(alias("dst=fd00:0:0:0:0:0:0:1%eth0 fd00::1/64"), "dst=" + ip6 + "%eth0 " + ip6 + "/64");
  for (const char* stays : {"127.0.0.1", "::1", "0.0.0.0:111", "[::]:80", "12:34:56", "std::dead", "1.2.3",
                            "aa:bb:cc:dd:ee:ff", "50:06:01:60:3b:a0:11:22", "8:0", "version 6.1.0-28"})
    EXPECT_EQ(alias(stays), stays);
  // Whoever has another secret finds other aliases.
  EXPECT_NE(Redact("[alias]\nsecret = 'another one of 16'\naddresses = true\n", "10.0.0.1"), ip);
}

TEST(RedactTest, HostsHaveOneAliasEach) {
  const auto alias = [](const std::string& text) { return Redact(kAlias, text); };
  const std::string db1 = alias("db1");
  EXPECT_THAT(db1, MatchesRegex("host-[0-9a-f]{10}"));
  EXPECT_EQ(alias("nfs: server Db1 not responding; db1.local, nfs-db1"),
            "nfs: server " + db1 + " not responding; " + db1 + ".local, nfs-" + db1);
  EXPECT_EQ(alias("db10 adb1 example.org"), "db10 adb1 example.org");
  EXPECT_THAT(alias("at www.Example.com."), MatchesRegex("at host-[0-9a-f]{10}\\."));
  EXPECT_EQ(alias("www.example.com"), alias("WWW.EXAMPLE.COM"));
  EXPECT_NE(alias("www.example.com"), alias("example.com"));
}

// Time grows with the text alone: this would take hours if anything in it were tried again and again.
TEST(RedactTest, NoTextTakesLong) {
  for (const char* piece : {":", "a.", "1.", "f:", "password", "\\", "-----BEGIN ", "a-", "x=\""}) {
    std::string text;
    while (text.size() < 2 * Redactor::kMaxLineBytes) text += piece;
    Redact(std::string(kAll) + "\n" + kAlias, text);
  }
  for (const char* piece : {R"("password=",)", R"("password=x\\",)", R"("-----BEGIN PRIVATE KEY-----",)"}) {
    std::string text = "[";
    while (text.size() < Redactor::kMaxLineBytes - 100) text += piece;
    EXPECT_TRUE(IsJson(Redact(kAll, text + "1]")));
  }
}

TEST(RedactTest, BadRulesAreRefusedWithTheirLine) {
  EXPECT_THAT(WhyRefused("builtin = [\n"), HasSubstr("redact.toml:"));
  EXPECT_THAT(WhyRefused("\nbuiltins = []"), HasSubstr("redact.toml:2: a key that is not known"));
  EXPECT_THAT(WhyRefused("\n\nbuiltin = ['pasword']"), HasSubstr("redact.toml:3: builtin names a rule that"));
  EXPECT_THAT(WhyRefused(""), HasSubstr("there are no rules in it"));
  EXPECT_THAT(WhyRefused("[alias]\naddresses = true"), HasSubstr("redact.toml:1: alias.secret is missing"));
  EXPECT_THAT(WhyRefused("[alias]\nsecret = 'short'"), HasSubstr("redact.toml:2: alias.secret must be"));
  EXPECT_THAT(WhyRefused("[alias]\nsecret = '0123456789abcdef'\nhosts = ['a b']"),
              HasSubstr("redact.toml:3: alias.hosts must hold names"));
  EXPECT_THAT(WhyRefused("[[pattern]]\nname = 'x'\nregex = '('"),
              AllOf(HasSubstr("redact.toml:1: the regex of 'x' cannot be used"), HasSubstr("missing )")));
  EXPECT_THAT(WhyRefused("[[pattern]]\nname = 'x'\nregex = '(a)\\1'"), HasSubstr("invalid escape"));
  EXPECT_THAT(WhyRefused("[[pattern]]\nname = 'x'\nregex = 'a*'"),
              HasSubstr("matches where there is nothing"));
  EXPECT_THAT(WhyRefused("builtin = ['urls']\n[[pattern]]\nname = 'urls'\nregex = 'a'"),
              HasSubstr("two rules are named 'urls'"));
}

class RedactedCaptureTest : public CaptureFixture {
 protected:
  v1::Manifest Seal(std::string rules) {
    options.privacy.redact = std::move(rules);
    NewRunner();
    runner->Start(MakeJob(IncidentId(1)), {});
    RunToEnd();
    EXPECT_EQ(CheckSealed(Sealed(IncidentId(1))), "");
    return sealed[IncidentId(1)].manifest();
  }
  std::string Unpacked(const std::string& name) const {
    const std::string out = root + "/" + name;
    const std::string command =
        "tar -I zstd -xO -f " + Sealed(IncidentId(1)) + "/capture.tar.zst " + name + " >" + out;
    EXPECT_EQ(std::system(command.c_str()), 0);
    return ReadFile(out).value();
  }
};

TEST_F(RedactedCaptureTest, TheManifestCountsWhatWasTakenOut) {
  const v1::Manifest manifest = Seal("[[pattern]]\nname = 'disk'\nregex = 'sd[a-z]'\n");
  EXPECT_THAT(manifest.redacted(), ElementsAre("disk"));
  EXPECT_EQ(Unpacked("subject.txt"), "[redacted:disk]\n");
  EXPECT_EQ(FindFile(manifest, "subject.txt")->redactions(), 1u);
  EXPECT_EQ(FindFile(manifest, "ok.txt")->redactions(), 0u);
  for (const v1::CapturedFile& file : manifest.files()) EXPECT_FALSE(file.not_redacted()) << file.name();
}

TEST_F(RedactedCaptureTest, WithoutRulesNothingIsTakenOut) {
  const v1::Manifest manifest = Seal("");
  EXPECT_EQ(manifest.redacted_size(), 0);
  EXPECT_EQ(Unpacked("subject.txt"), "sda\n");
}

TEST_F(RedactedCaptureTest, BinaryFilesAreNamedAndLongLinesCut) {
  options.collectors = {"test_redact"};
  const v1::Manifest manifest = Seal("[[pattern]]\nname = 'disk'\nregex = 'sd[a-z]'\n");
  EXPECT_TRUE(FindFile(manifest, "binary.dat")->not_redacted());
  EXPECT_EQ(Unpacked("binary.dat"), std::string("sda\0sdb", 7));
  EXPECT_EQ(FindFile(manifest, "long.txt")->lines_cut(), 1u);
  EXPECT_EQ(FindFile(manifest, "long.txt")->redactions(), 1u);
  EXPECT_EQ(Unpacked("long.txt"), std::string(Redactor::kMaxLineBytes, 'x') + "[cut]\n[redacted:disk]");
}

TEST_F(RedactedCaptureTest, AFileOfRulesIsReadAndChecked) {
  const std::string path = root + "/redact.toml";
  EXPECT_THAT(LoadPrivacy({}, path).error().message,
              AllOf(HasSubstr("capture.redact"), HasSubstr(path), HasSubstr("No such file")));
  ASSERT_TRUE(WriteFile(path, "builtin = ['pasword']\n"));
  EXPECT_THAT(LoadPrivacy({}, path).error().message, HasSubstr(path + ":1: builtin names a rule"));
  ASSERT_TRUE(WriteFile(path, "builtin = ['passwords']\n"));
  EXPECT_EQ(LoadPrivacy({}, path)->redact, "builtin = ['passwords']\n");
  EXPECT_EQ(LoadPrivacy({}, "")->redact, "");
}

TEST(RedactTest, ThePackagedRulesAreGood) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../../packaging/redact.toml";
  const auto rules = ParseRedactRules(ReadFile(path).value(), path.string());
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_THAT(rules->names, ElementsAre("passwords", "private_keys", "tokens", "urls"));
}

TEST(RedactTest, OfARecordWhatPeopleAndDevicesSaidGoesAndWhatTheClusterWorksWithStays) {
  auto redactor = MakeRedactor(std::string(kAll) + "\n" + kAlias);
  ASSERT_TRUE(redactor) << redactor.error().message;
  v1::Incident incident;
  incident.set_id("01a22177-d882-7000-a36b-82f8038cb864");
  incident.set_origin_node("DB1");
  incident.set_reason("try with password=hunter2");
  incident.mutable_subject()->set_id("nfs:10.0.0.9:/srv");
  v1::Event& event = *incident.add_events();
  event.set_kind("path.lost");
  event.set_node("DB1");
  event.set_summary("10.0.0.9 does not answer");
  event.add_related_ids("endpoint:10.0.0.9:2049");
  event.add_facts()->set_value("token=0123456789abcdef0123");
  event.mutable_facts(0)->set_name("endpoint");
  incident.mutable_completeness()->add_missing("DB1: no answer from 10.0.0.9");
  v1::Incident redacted = incident;
  RedactRecord(**redactor, &redacted);

  const std::string alias = redacted.events(0).summary().substr(0, redacted.events(0).summary().find(' '));
  EXPECT_THAT(alias, MatchesRegex("ip-[0-9a-f]{10}"));
  EXPECT_THAT(redacted.DebugString(), AllOf(Not(HasSubstr("10.0.0.9")), Not(HasSubstr("hunter2")),
                                            Not(HasSubstr("0123456789abcdef0123"))));
  // One thing has one name throughout.
  EXPECT_EQ(redacted.subject().id(), "nfs:" + alias + ":/srv");
  EXPECT_EQ(redacted.events(0).related_ids(0), "endpoint:" + alias + ":2049");
  EXPECT_EQ(redacted.completeness().missing(0), "DB1: no answer from " + alias);
  EXPECT_EQ(redacted.id(), incident.id());
  EXPECT_EQ(redacted.origin_node(), "DB1");
  EXPECT_EQ(redacted.events(0).node(), "DB1");
  EXPECT_EQ(redacted.events(0).kind(), "path.lost");
  EXPECT_EQ(redacted.events(0).facts(0).name(), "endpoint");
  EXPECT_FALSE(*MakeRedactor(""));
}

}  // namespace
}  // namespace ffdc::capture_test
