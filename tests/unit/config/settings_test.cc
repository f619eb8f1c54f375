// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/fs.h"
#include "fakes/temp_dir.h"

namespace ffdc {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto settings = ParseSettings(text, "f.toml");
  EXPECT_FALSE(settings) << text;
  return settings ? "" : settings.error().message;
}

Settings Parsed(std::string_view text) {
  auto settings = ParseSettings(text, "f.toml");
  EXPECT_TRUE(settings) << settings.error().message;
  return settings ? *settings : Settings{};
}

std::vector<std::string> Texts(const Settings& settings) {
  std::vector<std::string> texts;
  for (const SettingText& text : DescribeSettings(settings)) texts.push_back(text.key + " = " + text.value);
  return texts;
}

TEST(Settings, EmptyFileIsTheDefaults) {
  const Settings settings = Parsed("");
  EXPECT_EQ(Texts(settings), Texts(DefaultSettings()));
  EXPECT_FALSE(settings.node.name.empty());
  EXPECT_EQ(settings.node.cluster, "default");
  EXPECT_EQ(settings.store.url, "dir:/var/lib/ffdc/store");
  EXPECT_EQ(settings.incident.quiet_after, seconds(60));
  for (const SettingText& text : DescribeSettings(settings)) EXPECT_TRUE(text.is_default) << text.key;
}

// Half a cluster would be a node that waits for others for ever.
TEST(Settings, AClusterNeedsAllOfItsParts) {
  const std::string tls = "[tls]\nca = '/a'\ncert = '/b'\nkey = '/c'\n";
  const std::string peer = "[peer]\nlisten = '10.0.0.1:7420'\n";
  const std::string db = "[cluster]\ndb = 'etcd://10.0.0.1:2379'\n";
  EXPECT_TRUE(ParseSettings(db + peer + tls, "f.toml"));
  EXPECT_EQ(ErrorOf(db + tls), "f.toml:2: cluster.db needs an address for the other nodes: set peer.listen");
  EXPECT_NE(ErrorOf(db + peer).find("set tls.ca"), std::string::npos);
  EXPECT_EQ(ErrorOf(peer + tls),
            "f.toml:2: peer.listen needs a cluster DB that all nodes share: set cluster.db to etcd://...");
  EXPECT_EQ(
      ErrorOf(db + "[peer]\nlisten = '[::]:7420'\n" + tls),
      "f.toml:4: the other nodes cannot reach [::]:7420: set peer.advertise to an address of this node");
  for (const char* url : {"etcd://db.example:2379", "etcd://10.0.0.1", "etcd://", "sqlite:/x", ""})
    EXPECT_NE(ErrorOf("[cluster]\ndb = '" + std::string(url) + "'")
                  .find("must be \"embedded\" or addresses of etcd"),
              std::string::npos)
        << url;
}

class DropInTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(dir_ / "ffdc.d"); }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(dir_ / name) << text; }
  [[nodiscard]] std::string Error() const {
    const auto settings = LoadSettings(path_);
    return settings ? "" : settings.error().message;
  }
  TempDir dir_;
  std::string path_ = dir_ / "ffdc.toml";
};

TEST_F(DropInTest, ComeOverTheFileInTheOrderOfTheirNames) {
  Write("ffdc.toml", "[node]\nname = 'main'\ncluster = 'main'\n[store]\nurl = 'dir:/main'\n");
  Write("ffdc.d/b.toml", "node.name = 'b'\n");
  Write("ffdc.d/a.toml", "node.name = 'a'\nnode.cluster = 'a'\n");
  Write("ffdc.d/c.toml.left", "node.name = 'left'\n");
  Write("ffdc.d/.d.toml", "node.name = 'hidden'\n");
  const auto settings = LoadSettings(path_);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->node.name, "b");
  EXPECT_EQ(settings->node.cluster, "a");
  EXPECT_EQ(settings->store.url, "dir:/main");
  EXPECT_THAT(settings->files, ElementsAre(path_, dir_ / "ffdc.d/a.toml", dir_ / "ffdc.d/b.toml"));
}

TEST_F(DropInTest, EveryErrorNamesItsFileAndLine) {
  Write("ffdc.toml", "\n\nnode.nam = 'x'\n");
  Write("ffdc.d/a.toml", "\nlog.level = 'loud'\n");
  Write("ffdc.d/b.toml", "[=] not TOML\n");
  EXPECT_THAT(Error(), testing::AllOf(HasSubstr(path_ + ":3: unknown key 'node.nam'"),
                                      HasSubstr("ffdc.d/a.toml:2: log.level must be"),
                                      HasSubstr("ffdc.d/b.toml:1: ")));
  EXPECT_LT(Error().find("node.nam"), Error().find("log.level"));
}

// What is half in one file and half in another is told where it was set last.
TEST_F(DropInTest, WhatDoesNotFitTogetherIsToldWhereItWasSet) {
  Write("ffdc.toml", "[peer]\nlisten = '0.0.0.0:7420'\n[tls]\nca = '/a'\ncert = '/b'\nkey = '/c'\n");
  Write("ffdc.d/cluster.toml", "\n[cluster]\ndb = 'etcd://10.0.0.1:2379'\n");
  EXPECT_THAT(Error(), HasSubstr(path_ + ":2: the other nodes cannot reach 0.0.0.0:7420"));
  Write("ffdc.toml", "");
  EXPECT_THAT(Error(), HasSubstr("cluster.toml:3: cluster.db needs an address for the other nodes"));
}

TEST_F(DropInTest, TheFileItselfMayBeMissingWhereNobodyNamedIt) {
  Write("ffdc.d/a.toml", "node.name = 'a'\n");
  EXPECT_THAT(Error(), HasSubstr("No such file or directory"));
  const auto settings = LoadSettings(path_, MainFile::kOptional);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->node.name, "a");
  std::filesystem::remove(dir_ / "ffdc.d/a.toml");
  EXPECT_THAT(LoadSettings(path_, MainFile::kOptional)->files, testing::IsEmpty());
}

TEST(Settings, SubscribersAreUrlsWithoutAPassword) {
  for (const char* url :
       {"https://hooks.example.org/T0/x?y=1", "http://10.0.0.1:8080", "http://[fd00::1]/ffdc"}) {
    const auto settings = ParseSettings("alert.subscribers = ['" + std::string(url) + "']\n", "f.toml");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->alert.subscribers, std::vector<std::string>{url});
  }
  for (const char* url :
       {"ftp://host/", "https://", "https:///path", "https://user:secret@host/", "host/hook", "http://a b/"})
    EXPECT_NE(
        ErrorOf("alert.subscribers = ['" + std::string(url) + "']\n").find("must hold URLs without a user"),
        std::string::npos)
        << url;
  EXPECT_NE(ErrorOf("alert.kinds = ['io error']\n").find("must be a name or a pattern"), std::string::npos);
  EXPECT_NE(ErrorOf("alert.min_severity = 'fatal'\n").find("must be \"info\", \"warning\" or \"critical\""),
            std::string::npos);
}

TEST(Settings, EveryKeyIsRead) {
  const Settings settings = Parsed(R"(
[node]
name = "n-1"
cluster = "prod.eu_1"
[cluster]
db = "etcds://10.0.0.1:2379,[fd00::1]:2379"
[peer]
listen = "0.0.0.0:7420"
advertise = "10.0.0.11:7420"
handoff_max_bytes = "2GiB"
direct_alerts_max = 64
[tls]
ca = "/etc/ffdc/ca.crt"
cert = "/etc/ffdc/node.crt"
key = "/etc/ffdc/node.key"
ca_key = "/etc/ffdc/ca.key"
[store]
url = "dir:/srv/ffdc"
max_age = "30d"
max_bytes = "10GiB"
max_incidents = 5
max_bytes_per_second = "1MiB"
require_marker = true
encrypt_to = ["/etc/ffdc/ops.pem"]
[spool]
path = "/srv/spool"
max_bytes = "1GiB"
[control]
socket = "/run/x.sock"
[devices]
include = ["sda", "loop"]
exclude = ["wwid:naa.5000"]
[incident]
quiet_after = "500ms"
[detect]
stall_after = "5s"
retries_per_minute = 10
slow_factor = 8
[watch]
units = ["nfs-server.service", "ceph-osd@3.service"]
endpoints = ["10.0.0.1:3260", "[fd00::1]:2379"]
filesystems = ["/srv"]
[resource]
raise_percent = 80
critical_percent = 95
clear_percent = 60
limits = ["/srv/data 85 95 80"]
[periodic]
calendar = "Mon 03:00"
[recorder]
io_max_bytes = "64KiB"
history_max_bytes = "4MiB"
[capture]
runtime_dir = "/run/x"
collector_max_bytes = "1MiB"
max_parallel = 2
redact = "/etc/ffdc/redact.toml"
[alert]
subscribers = ["https://hooks.example.org/ffdc"]
secret_file = "/etc/ffdc/secret"
min_severity = "critical"
subscriber_kinds = ["path.*"]
subscriber_subjects = ["wwid:*"]
kinds = ["io.error", "path.*"]
subjects = ["nfs:10.0.0.9:*"]
[log]
level = "debug"
)");
  EXPECT_THAT(
      Texts(settings),
      ElementsAre(
          "node.name = \"n-1\"", R"(node.cluster = "prod.eu_1")",
          R"(cluster.db = "etcds://10.0.0.1:2379,[fd00::1]:2379")", R"(peer.listen = "0.0.0.0:7420")",
          R"(peer.advertise = "10.0.0.11:7420")", R"(peer.handoff_max_bytes = "2GiB")",
          "peer.direct_alerts_max = 64", R"(tls.ca = "/etc/ffdc/ca.crt")",
          R"(tls.cert = "/etc/ffdc/node.crt")", R"(tls.key = "/etc/ffdc/node.key")",
          R"(tls.ca_key = "/etc/ffdc/ca.key")", "store.url = \"dir:/srv/ffdc\"", "store.max_age = \"30d\"",
          "store.max_bytes = \"10GiB\"", "store.max_incidents = 5", "store.max_bytes_per_second = \"1MiB\"",
          "store.require_marker = true", "store.encrypt_to = [\"/etc/ffdc/ops.pem\"]",
          "spool.path = \"/srv/spool\"", "spool.max_bytes = \"1GiB\"", "control.socket = \"/run/x.sock\"",
          "devices.include = [\"sda\", \"loop\"]", "devices.exclude = [\"wwid:naa.5000\"]",
          "incident.quiet_after = \"500ms\"", "detect.stall_after = \"5s\"", "detect.retries_per_minute = 10",
          "detect.slow_factor = 8", "watch.units = [\"nfs-server.service\", \"ceph-osd@3.service\"]",
          "watch.endpoints = [\"10.0.0.1:3260\", \"[fd00::1]:2379\"]", "watch.filesystems = [\"/srv\"]",
          "resource.raise_percent = 80", "resource.critical_percent = 95", "resource.clear_percent = 60",
          R"(resource.limits = ["/srv/data 85 95 80"])", "periodic.calendar = \"Mon 03:00\"",
          "recorder.io_max_bytes = \"64KiB\"", "recorder.history_max_bytes = \"4MiB\"",
          "capture.runtime_dir = \"/run/x\"", "capture.collector_max_bytes = \"1MiB\"",
          "capture.max_parallel = 2", "capture.redact = \"/etc/ffdc/redact.toml\"",
          "alert.subscribers = [\"https://hooks.example.org/ffdc\"]",
          "alert.secret_file = \"/etc/ffdc/secret\"", "alert.min_severity = \"critical\"",
          R"(alert.subscriber_kinds = ["path.*"])", R"(alert.subscriber_subjects = ["wwid:*"])",
          R"(alert.kinds = ["io.error", "path.*"])", R"(alert.subjects = ["nfs:10.0.0.9:*"])",
          "log.level = \"debug\""));
  for (const SettingText& text : DescribeSettings(settings)) EXPECT_FALSE(text.is_default) << text.key;
}

TEST(Settings, DottedKeysAndInlineTablesAreTheSame) {
  EXPECT_EQ(Parsed("incident.quiet_after = '5s'").incident.quiet_after, seconds(5));
  EXPECT_EQ(Parsed("incident = { quiet_after = '5s' }").incident.quiet_after, seconds(5));
}

struct BadCase {
  const char* text;
  const char* error;
};

TEST(Settings, ErrorsSayWhereWhatAndWhatToDo) {
  const BadCase cases[] = {
      {"[devices]\ninclde = []", "f.toml:2: unknown key 'devices.inclde': did you mean 'include'?"},
      {"[spool]\nmax_bytes = 5", "f.toml:2: spool.max_bytes must be a size such as \"2GiB\", not an integer"},
      {"[spool]\nmax_bytes = \"2 GiB\"",
       "f.toml:2: spool.max_bytes: \"2 GiB\" is not a size: unknown unit ' GiB': use B, KiB, MiB, GiB, TiB, "
       "kB, MB, "
       "GB or TB"},
      {"[spool]\nmax_bytes = \"1B\"", "f.toml:2: spool.max_bytes must be between 64KiB and 16TiB, not 1B"},
      {"[recorder]\nio_max_bytes = \"2GiB\"",
       "f.toml:2: recorder.io_max_bytes must be between 64KiB and 1GiB, not 2GiB"},
      {"[incident]\nquiet_after = 60",
       "f.toml:2: incident.quiet_after must be a duration such as \"60s\", not an integer"},
      {"[incident]\nquiet_after = \"0s\"",
       "f.toml:2: incident.quiet_after must be between 100ms and 24h, not 0s"},
      {"[store]\nmax_age = \"1ms\"",
       "f.toml:2: store.max_age must be between 1s and 3650d, or 0 for no limit, not 1ms"},
      {"[store]\nmax_incidents = -1", "f.toml:2: store.max_incidents must be between 0 and 1000000, not -1"},
      {"[store]\nmax_incidents = 1.5",
       "f.toml:2: store.max_incidents must be a whole number, not a floating-point number"},
      {"[store]\nurl = \"/srv\"",
       "f.toml:2: store.url must be \"dir:\" and an absolute path, such as \"dir:/var/lib/ffdc/store\", or "
       "\"rados://\" and a Ceph pool, not "
       "\"/srv\""},
      {"[store]\nurl = \"dir:srv\"",
       "f.toml:2: store.url must be \"dir:\" and an absolute path, such as \"dir:/var/lib/ffdc/store\", or "
       "\"rados://\" and a Ceph pool, not "
       "\"dir:srv\""},
      {"[store]\nurl = \"s3://bucket\"",
       "f.toml:2: store.url must be \"dir:\" and an absolute path, such as \"dir:/var/lib/ffdc/store\", or "
       "\"rados://\" and a Ceph pool, not "
       "\"s3://bucket\""},
      {"[spool]\npath = \"spool\"",
       "f.toml:2: spool.path must be an absolute path of printable ASCII, not \"spool\""},
      {"[spool]\npath = \"/a\\u0000b\"",
       "f.toml:2: spool.path must be an absolute path of printable ASCII, not \"/a?b\""},
      {"[node]\nname = \".a\"",
       "f.toml:2: node.name must be 1 to 64 letters, digits, '.', '_' or '-', the first not a '.', not "
       "\".a\""},
      {"[node]\nname = true", "f.toml:2: node.name must be a string, not a boolean"},
      {"[log]\nlevel = \"loud\"",
       "f.toml:2: log.level must be \"debug\", \"info\", \"warning\" or \"error\", not \"loud\""},
      {"[devices]\ninclude = \"sda\"",
       "f.toml:2: devices.include must be a list of strings such as [\"sda\", \"loop\"], not a string"},
      {"[devices]\ninclude = [\"sda\", 1]",
       "f.toml:2: devices.include must be a list of strings such as [\"sda\", \"loop\"], not a list with "
       "other things "
       "in it"},
      {"[devices]\ninclude = [\"\"]",
       "f.toml:2: devices.include must hold names (\"sda\"), WWIDs or types (\"loop\"), not \"\""},
      {"[devices]\ninclude = [\"sda\"]\nexclude = [\"sda\"]",
       "f.toml:3: devices.include and devices.exclude both name 'sda': take it out of one of them"},
      {"[devics]\ninclude = []", "f.toml:1: unknown section 'devics': did you mean 'devices'?"},
      {"[zzzzzzzz]",
       "f.toml:1: unknown section 'zzzzzzzz': known here: node, cluster, peer, tls, store, spool, control, "
       "devices, incident, "
       "detect, watch, resource, periodic, recorder, capture, alert, log"},
      {"quiet_after = \"5s\"", "f.toml:1: unknown key 'quiet_after': did you mean 'incident.quiet_after'?"},
      {"[spool]\nquiet_after = \"5s\"",
       "f.toml:2: unknown key 'spool.quiet_after': did you mean 'incident.quiet_after'?"},
      {"node = 3", "f.toml:1: node must be a section: [node], not an integer"},
      {"[[node]]", "f.toml:1: node must be a section: [node], not a list"},
      {"[detect]\nstall_after = \"100ms\"",
       "f.toml:2: detect.stall_after must be between 500ms and 60m, not 100ms"},
      {"[detect]\nretries_per_minute = 0",
       "f.toml:2: detect.retries_per_minute must be between 1 and 1000000, not 0"},
      {"[detect]\nslow_factor = 1", "f.toml:2: detect.slow_factor must be between 2 and 1000, not 1"},
      {"[watch]\nunits = [\"nfs-server\"]",
       "f.toml:2: watch.units must hold names of systemd units, such as \"nfs-server.service\", not "
       "\"nfs-server\""},
      {"[watch]\nendpoints = [\"storage.example:3260\"]",
       "f.toml:2: watch.endpoints must hold addresses with ports, such as \"10.0.0.1:3260\" or "
       "\"[fd00::1]:2379\", not \"storage.example:3260\""},
      {"[watch]\nendpoints = [\"10.0.0.1\"]",
       "f.toml:2: watch.endpoints must hold addresses with ports, such as \"10.0.0.1:3260\" or "
       "\"[fd00::1]:2379\", not \"10.0.0.1\""},
      {"[watch]\nfilesystems = [\"srv\"]",
       "f.toml:2: watch.filesystems must be an absolute path of printable ASCII, not \"srv\""},
      {"[resource]\nraise_percent = 101",
       "f.toml:2: resource.raise_percent must be between 1 and 100, not 101"},
      {"[periodic]\ncalendar = 5", "f.toml:2: periodic.calendar must be a string, not an integer"},
      {"[capture]\nmax_parallel = 0", "f.toml:2: capture.max_parallel must be between 1 and 64, not 0"},
  };
  for (const BadCase& bad : cases) EXPECT_EQ(ErrorOf(bad.text), bad.error) << bad.text;
}

TEST(Settings, PercentsAreInTheirOrder) {
  EXPECT_EQ(ErrorOf("[resource]\nclear_percent = 75"),
            "f.toml:2: resource.clear_percent (75) must be below resource.raise_percent (75)");
  EXPECT_EQ(ErrorOf("[resource]\nraise_percent = 70"),
            "f.toml:2: resource.clear_percent (70) must be below resource.raise_percent (70)");
  EXPECT_EQ(ErrorOf("[resource]\n\ncritical_percent = 74"),
            "f.toml:3: resource.raise_percent (75) must be at most resource.critical_percent (74)");
  EXPECT_EQ(ErrorOf("[resource]\nraise_percent = 95\nclear_percent = 96"),
            "f.toml:2: resource.raise_percent (95) must be at most resource.critical_percent (90)\n"
            "f.toml:3: resource.clear_percent (96) must be below resource.raise_percent (95)");
  const Settings edge =
      Parsed("resource = { clear_percent = 89, raise_percent = 90, critical_percent = 90 }");
  EXPECT_EQ(edge.resource.clear_percent, 89u);
}

TEST(Settings, SocketPathFitsASocketAddress) {
  const std::string longest = "/" + std::string(106, 'a');
  EXPECT_EQ(Parsed("control.socket = '" + longest + "'").control.socket, longest);
  EXPECT_THAT(ErrorOf("control.socket = '" + longest + "a'"),
              HasSubstr("control.socket must be a path of at most 107 bytes"));
}

TEST(Settings, SocketPathIsPlain) {
  EXPECT_EQ(
      ErrorOf("control.socket = '/run/a b'"),
      "f.toml:1: control.socket must be a path of letters, digits, '/', '.', '_' and '-', not \"/run/a b\"");
}

TEST(Settings, NamesOf64CharactersAndNoMore) {
  const std::string longest(64, 'n');
  EXPECT_EQ(Parsed("node.name = '" + longest + "'").node.name, longest);
  ErrorOf("node.name = '" + longest + "n'");
  ErrorOf("node.name = ''");
  ErrorOf("node.cluster = 'a/b'");
}

TEST(Settings, AllErrorsAreListedInTheOrderOfTheFile) {
  EXPECT_EQ(ErrorOf("[spool]\npath = 1\n[node]\nnmae = 'x'\n[log]\nlevel = 'x'\n"),
            "f.toml:2: spool.path must be a string, not an integer\n"
            "f.toml:4: unknown key 'node.nmae': did you mean 'name'?\n"
            "f.toml:6: log.level must be \"debug\", \"info\", \"warning\" or \"error\", not \"x\"");
}

TEST(Settings, SyntaxErrorsAndDuplicatesHaveTheirLine) {
  EXPECT_THAT(ErrorOf("[node]\nname = \n"), HasSubstr("f.toml:2: "));
  EXPECT_THAT(ErrorOf("[node]\nname = 'a'\nname = 'b'\n"), HasSubstr("f.toml:3: "));
  EXPECT_THAT(ErrorOf("not toml at all"), HasSubstr("f.toml:1: "));
  EXPECT_THAT(ErrorOf("\n[=]"), HasSubstr("f.toml:2: "));
  EXPECT_EQ(ErrorOf(std::string_view("\n\0", 2)),
            "f.toml:2: control character 0x00: a configuration is text");
}

TEST(Settings, OtherThanAsciiStandsInCommentsAlone) {
  EXPECT_EQ(Parsed("\xef\xbb\xbf# \u00e9\nspool.path = '/#' # '\u00e9").spool.path, "/#");
  EXPECT_EQ(Parsed("spool.path = \"/a\\\"#\\\\\" # \u00e9").spool.path, "/a\"#\\");
  const char* const error = ": a character other than ASCII: only comments may hold it";
  EXPECT_EQ(ErrorOf("\n\u00e9 = 1"), std::string("f.toml:2") + error);
  EXPECT_EQ(ErrorOf("spool.path = '/#\u00e9'"), std::string("f.toml:1") + error);
  EXPECT_EQ(ErrorOf("spool.path = '/\xff'"), std::string("f.toml:1") + error);
  EXPECT_EQ(ErrorOf("spool.path = \"\"\"/a\"\"\""), "f.toml:1: a multi-line string: no key needs one");
  EXPECT_THAT(ErrorOf("spool.path = \"/\\u00e9\""), HasSubstr("must be an absolute path of printable ASCII"));
}

TEST(Settings, DescriptionReadsBackTheSame) {
  const Settings settings = Parsed("[store]\nurl = 'dir:/a \"quoted\" \\ path'\nmax_age = '90m'\n");
  std::string text;
  for (const SettingText& key : DescribeSettings(settings)) text += key.key + " = " + key.value + "\n";
  EXPECT_EQ(Texts(Parsed(text)), Texts(settings));
}

TEST(LoadSettings, NamesTheFile) {
  const TempDir dir;
  const std::filesystem::path path = dir / "ffdc.toml";
  const auto missing = LoadSettings(path);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr(path.string()));
  EXPECT_THAT(missing.error().message, HasSubstr("No such file or directory"));
  std::ofstream(path) << "[node]\ncluster = 'c'\n";
  const auto loaded = LoadSettings(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->node.cluster, "c");
  std::ofstream(path) << "[node]\nclustr = 'c'\n";
  EXPECT_EQ(LoadSettings(path).error().message,
            path.string() + ":2: unknown key 'node.clustr': did you mean 'cluster'?");
}

std::string Packaged(const std::string& name) {
  return ReadFile(std::filesystem::path(__FILE__).parent_path() / "../../../packaging" / name).value();
}

TEST(ManPage, HasEveryKeyWithItsDefault) {
  const std::string page = Packaged("man/ffdc.toml.5");
  for (const SettingText& key : DescribeSettings(DefaultSettings())) {
    const size_t start = page.find(".TP\n.B " + key.key + "\n");
    ASSERT_NE(start, std::string::npos) << key.key;
    if (key.key == "node.name") continue;  // the host's
    std::string value;
    for (const char c : key.default_value) value += c == '"' ? std::string("\\(dq") : std::string(1, c);
    EXPECT_THAT(page.substr(start, page.find("\n.TP", start) - start),
                HasSubstr("Default:\n.BR " + value + " ."));
  }
}

// After a change of the schema: FFDC_UPDATE_SAMPLE=1 build/bin/config_test
TEST(SampleConfig, PackagedFileIsTheSchemas) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../../packaging/ffdc.toml";
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  if (getenv("FFDC_UPDATE_SAMPLE") != nullptr) std::ofstream(path) << SampleConfig();
  const std::string packaged = Packaged("ffdc.toml");
  EXPECT_EQ(packaged, SampleConfig()) << "run FFDC_UPDATE_SAMPLE=1 config_test to write it anew";
  EXPECT_EQ(Texts(Parsed(packaged)), Texts(DefaultSettings()));
}

TEST(SampleConfig, LinesUncommentedAreTheDefaults) {
  std::istringstream sample(SampleConfig());
  std::string text;
  size_t keys = 0;
  for (std::string line; std::getline(sample, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') {
      line.erase(0, 1);
      ++keys;
    }
    text += line + "\n";
  }
  Settings settings = Parsed(text);
  EXPECT_EQ(settings.node.name, "node1");
  settings.node.name = DefaultSettings().node.name;
  EXPECT_EQ(Texts(settings), Texts(DefaultSettings()));
  EXPECT_EQ(keys, DescribeSettings(settings).size());
}

TEST(Settings, LimitsOfSingleResources) {
  const Settings settings = Parsed("[resource]\nlimits = [\"/srv/my data 85 95 80\", \"vg-pool 60 60 0\"]");
  const auto limits = ParseResourceLimits(settings.resource.limits.at(0));
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->name, "/srv/my data");
  EXPECT_EQ(limits->raise_percent, 85u);
  EXPECT_EQ(limits->critical_percent, 95u);
  EXPECT_EQ(limits->clear_percent, 80u);
  for (const char* bad : {"", "/srv", "/srv 85", "/srv 85 95", "85 95 80", "/srv 85 101 80", "/srv 85 95 x",
                          "/srv  85 95 80", "/srv 85 95 -1"}) {
    EXPECT_EQ(
        ErrorOf(std::string("[resource]\nlimits = [\"") + bad + "\"]"),
        std::string("f.toml:2: resource.limits must hold a name and the percentages to raise, to be critical "
                    "and to clear, such as \"/srv/data 85 95 80\", not \"") +
            bad + "\"");
  }
  EXPECT_EQ(
      ErrorOf("[resource]\nlimits = [\"/srv 85 84 80\"]"),
      "f.toml:2: resource.limits must clear below where it raises, and raise at most where it is critical, "
      "not \"/srv 85 84 80\"");
}

}  // namespace
}  // namespace ffdc
