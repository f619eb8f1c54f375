// SPDX-License-Identifier: Apache-2.0
// The real ffdcctl against a fake agent on a real socket: exit codes, streams, files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/fd.h"
#include "base/fs.h"
#include "control/server.h"
#include "fakes/fake_backend.h"
#include "fakes/temp_dir.h"
#include "unit/ctl/command_fixture.h"

namespace ffdc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(CommandTest, EveryReadCommandPrintsAPageOrJson) {
  const std::vector<std::vector<std::string>> commands = {{"status"},
                                                          {"probe", "list"},
                                                          {"event", "list"},
                                                          {"incident", "list"},
                                                          {"config", "show"},
                                                          {"cluster", "status"},
                                                          {"cluster", "token"},
                                                          {"incident", "show", "019aaf2c"},
                                                          {"incident", "verify", "019aaf2c"}};
  for (std::vector<std::string> command : commands) {
    const Outcome page = Run(command);
    EXPECT_EQ(page.exit_code, 0) << page.err;
    EXPECT_THAT(page.err, IsEmpty());
    EXPECT_FALSE(page.out.empty());
    EXPECT_EQ(page.out.find('\033'), std::string::npos) << "no colour outside of a terminal";
    command.emplace_back("--json");
    const Outcome json = Run(command);
    EXPECT_EQ(json.exit_code, 0) << json.err;
    EXPECT_THAT(json.out, StartsWith("{"));
  }
}

TEST_F(CommandTest, JsonIsTheReplyWithEveryField) {
  const Outcome list = Run({"incident", "list", "--json"});
  v1::IncidentList parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(list.out, &parsed).ok()) << list.out;
  ASSERT_EQ(parsed.incidents_size(), 2);
  EXPECT_EQ(parsed.incidents(1).SerializeAsString(), fakes::SampleIncident().SerializeAsString());
  for (const char* field :
       {"\"id\"", "\"kind\"", "\"domain\": \"OTHER\"", "\"severity\"", "\"state\"", "\"opened_at\"",
        "\"origin_node\"", "\"subject\"", "\"clients\"", "\"events\"", "\"captures\"", "\"bytes\"",
        "\"completeness\"", "\"pinned\": false", "\"repeat\": false"}) {
    EXPECT_THAT(list.out, HasSubstr(field));
  }
  v1::IncidentDetail detail;
  const Outcome show = Run({"--json", "incident", "show", "019aaf2c"});
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(show.out, &detail).ok()) << show.out;
  EXPECT_EQ(detail.incident().id(), fakes::kIncidentId);
}

TEST_F(CommandTest, UsageErrorsExitWith2) {
  const std::vector<std::vector<std::string>> bad = {{},
                                                     {"bogus"},
                                                     {"incident"},
                                                     {"incident", "show"},
                                                     {"incident", "show", "019aaf2c", "more"},
                                                     {"status", "--bogus"},
                                                     {"event", "list", "--limit", "many"},
                                                     {"incident", "list", "--open", "--closed"}};
  for (const auto& arguments : bad) ExpectComplaint(Run(arguments), 2, "--help`");
  EXPECT_THAT(Run({"incident", "bogus"}).err,
              HasSubstr("unknown command 'bogus': see `ffdcctl incident --help`"));
  ExpectComplaint(Run({"--socket", std::string(200, 's'), "status"}), 2, "1 to 107 bytes");
}

TEST_F(CommandTest, HelpAndVersionSucceed) {
  EXPECT_THAT(Run({"--version"}).out, StartsWith("ffdcctl "));
  const Outcome help = Run({"incident", "pull", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--output"));
}

TEST_F(CommandTest, AnAbsentAgentExitsWith3) {
  const std::string missing = dir_ / "missing.sock";
  const Outcome outcome = Run({"--socket", missing, "status"});
  ExpectComplaint(outcome, 3,
                  "cannot reach the agent at " + missing +
                      ": No such file or directory: is ffdcd running? (systemctl status ffdc)");
  server_.reset();
  ExpectComplaint(Run({"incident", "list"}), 3, socket_);
  std::ofstream(dir_ / "file.sock") << "no socket";
  ExpectComplaint(Run({"--socket", dir_ / "file.sock", "status"}), 3, "Connection refused");
}

TEST_F(CommandTest, AnAgentThatAcceptsButNeverAnswersExitsWith3) {
  const std::string path = dir_ / "hung.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd.get(), 4), 0);
  ExpectComplaint(Run({"--socket", path, "status"}), 3, "no answer within 2 s");
}

TEST_F(CommandTest, WhatTheAgentRefusesExitsWith1) {
  ExpectComplaint(Run({"incident", "show", "0000"}), 1,
                  "cannot show incident '0000': no incident starts with '0000'");
  ExpectComplaint(Run({"incident", "show", "019"}), 1, "fits 2 incidents: give more of the id");
  ExpectComplaint(Run({"incident", "show", "zz"}), 1, "'zz' is not an incident id");
  ExpectComplaint(Run({"incident", "delete", "019aaf2c"}), 1, "is pinned: unpin it first");
  backend_.FailWith({"two\nlines \033[31m", EIO});
  ExpectComplaint(Run({"status"}), 1, "cannot read the agent's status: two lines ?[31m");
}

TEST_F(CommandTest, ChangesSayWhatChanged) {
  EXPECT_THAT(Run({"incident", "pin", "019aaf30"}).out,
              HasSubstr("019aaf30-0a10-7c55-8a20-5f1d3e7b9a44 is pinned"));
  EXPECT_THAT(Run({"incident", "unpin", "019aaf2c"}).out, HasSubstr("is no longer pinned"));
  EXPECT_THAT(Run({"incident", "delete", "019aaf30"}).out, HasSubstr("is deleted, 179.2 KiB freed"));
  EXPECT_THAT(Run({"incident", "delete", "--yes", "019aaf30"}).out, HasSubstr("is deleted"));
  EXPECT_THAT(Run({"dump", "--reason", "why not"}).out, HasSubstr("ffdcctl incident show 019aaf30-0a10"));
  const Outcome json = Run({"dump", "--reason", "why not", "--json"});
  v1::Incident incident;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json.out, &incident).ok()) << json.out;
  EXPECT_EQ(incident.reason(), "why not");
}

TEST_F(CommandTest, DumpsOfOtherNodesNameThem) {
  const auto captures = [](const Outcome& outcome) {
    v1::Incident incident;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(outcome.out, &incident).ok()) << outcome.out;
    std::set<std::string> nodes;
    for (const v1::Capture& capture : incident.captures()) nodes.insert(capture.node());
    return nodes;
  };
  EXPECT_TRUE(captures(Run({"dump", "--all", "--json"})).contains("every other node"));
  const auto named = captures(Run({"dump", "--nodes", "db2,db3", "--json"}));
  EXPECT_TRUE(named.contains("db2") && named.contains("db3"));
  EXPECT_EQ(Run({"dump", "--all", "--nodes", "db2"}).exit_code, 2);
}

TEST_F(CommandTest, ResourcesAreListed) {
  EXPECT_THAT(Run({"resource", "list"}).out, AllOf(HasSubstr("/srv/data"), HasSubstr("unreachable")));
  v1::ResourceList list;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(Run({"resource", "list", "--json"}).out, &list).ok());
  EXPECT_EQ(list.resources_size(), 5);
  ExpectComplaint(Run({"resource"}), 2, "--help");
  ExpectComplaint(Run({"resource", "show"}), 2, "unknown command 'show'");
}

TEST_F(CommandTest, NodesAreListedAndRemoved) {
  EXPECT_THAT(Run({"node", "list"}).out, HasSubstr("db2"));
  EXPECT_THAT(Run({"node", "remove", "db3"}).out, HasSubstr("node db3 is removed"));
  ExpectComplaint(Run({"node", "remove", "db9"}), 1, "there is no node 'db9'");
}

TEST_F(CommandTest, VerifyNamesTheDamagedFileAndExitsWith1) {
  EXPECT_EQ(Run({"incident", "verify", "019aaf2c"}).exit_code, 0);
  backend_.SetVerifyProblem("db1/capture.tar.zst", "SHA-256 differs from the manifest's");
  const Outcome outcome = Run({"incident", "verify", "019aaf2c"});
  EXPECT_EQ(outcome.out, "db1/capture.tar.zst: SHA-256 differs from the manifest's\n");
  ExpectComplaint(outcome, 1, "does not verify: db1/capture.tar.zst: SHA-256 differs");
  const Outcome json = Run({"incident", "verify", "019aaf2c", "--json"});
  EXPECT_EQ(json.exit_code, 1);
  v1::VerifyReport report;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json.out, &report).ok());
  EXPECT_FALSE(report.ok());
}

TEST_F(CommandTest, StoreCommandsTellWhatWasDone) {
  v1::StoreProgress progress;
  progress.set_captures_total(2);
  progress.set_captures_done(2);
  progress.set_bytes_total(2048);
  progress.set_bytes_done(2048);
  progress.set_finished(true);
  auto* removed = progress.add_removed();
  removed->set_incident_id(fakes::kManualId);
  removed->set_reason("retention: older than 60 s");
  removed->set_bytes(1024);
  auto* copy = progress.add_captures();
  copy->set_incident_id(fakes::kIncidentId);
  copy->set_node("db1");
  copy->set_bytes(2048);
  backend_.SetStoreProgress(progress);
  EXPECT_THAT(Run({"store", "status"}).out, HasSubstr("reachable"));
  EXPECT_THAT(Run({"store", "init"}).out, HasSubstr("is the one of this node now"));
  const Outcome listed = Run({"store", "ls"});
  EXPECT_THAT(listed.out, AllOf(HasSubstr(fakes::kIncidentId), HasSubstr("db1"), HasSubstr("2.0 KiB")));
  EXPECT_THAT(Run({"store", "verify", "--all"}).out, HasSubstr("2 captures, 2.0 KiB, every checksum right"));
  EXPECT_THAT(Run({"store", "gc"}).out,
              AllOf(HasSubstr("retention: older than 60 s"), HasSubstr("1 incident removed")));
  const Outcome migrated = Run({"store", "migrate", "dir:/a", "dir:/b"});
  EXPECT_EQ(migrated.exit_code, 0) << migrated.err;
  EXPECT_THAT(migrated.out, HasSubstr("2 captures copied and verified"));
  EXPECT_THAT(migrated.err, IsEmpty()) << "no progress bar where nobody looks";
  ASSERT_EQ(backend_.store_work().size(), 4u);
  EXPECT_EQ(backend_.store_work().back().to_url, "dir:/b");
  ExpectComplaint(Run({"store", "migrate", "dir:/a", "dir:/a"}), 1, "name the same store");
  ExpectComplaint(Run({"store", "verify"}), 2, "ID or --all");
  const Outcome json = Run({"store", "ls", "--json"});
  EXPECT_THAT(json.out, HasSubstr("\"captures_total\": \"2\""));
}

TEST_F(CommandTest, VerifyOfAllNamesEachBadFileAndExitsWith1) {
  v1::StoreProgress progress;
  progress.set_finished(true);
  auto* problem = progress.add_problems();
  problem->set_incident_id(fakes::kIncidentId);
  problem->set_file("db1/capture.tar.zst");
  problem->set_problem("SHA-256 differs");
  backend_.SetStoreProgress(progress);
  const Outcome outcome = Run({"store", "verify", "--all"});
  ExpectComplaint(outcome, 1, "1 file in the store not as sealed");
  EXPECT_THAT(outcome.out,
              HasSubstr(std::string(fakes::kIncidentId) + "/db1/capture.tar.zst: SHA-256 differs"));
}

TEST_F(CommandTest, WorkThatEndsBeforeItsEndIsNotTakenForDone) {
  v1::StoreProgress progress;
  progress.set_captures_done(1);
  backend_.SetStoreProgress(progress);
  ExpectComplaint(Run({"store", "verify", "--all"}), 1, "before its end");
}

TEST_F(CommandTest, PullWritesTheWholeArchiveOrNothing) {
  backend_.SetArchive("the archive");
  EXPECT_EQ(Run({"incident", "pull", "019aaf2c"}).exit_code, 0);
  EXPECT_EQ(ReadFile(dir_ / "019aaf2c-5d40.tar").value(), "the archive");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "019aaf2c-5d40.tar.part"));

  EXPECT_EQ(Run({"incident", "pull", "019aaf2c", "-o", dir_ / "x.tar"}).exit_code, 0);
  EXPECT_EQ(ReadFile(dir_ / "x.tar").value(), "the archive");

  const Outcome piped = Run({"incident", "pull", "019aaf2c", "--output", "-"});
  EXPECT_EQ(piped.out, "the archive") << "nothing else goes to stdout";

  backend_.FailPullAtEnd({"db1/capture.tar.zst: Input/output error", EIO});
  ExpectComplaint(Run({"incident", "pull", "019aaf2c", "-o", dir_ / "y.tar"}), 1, "Input/output error");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "y.tar"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "y.tar.part"));
  ExpectComplaint(Run({"incident", "pull", "019aaf2c", "-o", "/nowhere/y.tar"}), 1,
                  "cannot write /nowhere/y.tar.part");
}

TEST_F(CommandTest, WhatIsEncryptedIsSaidToBeSoAndHowToOpenIt) {
  EXPECT_THAT(Run({"incident", "show", "019aaf2c"}).out, Not(HasSubstr("ncrypted")));
  backend_.Encrypt();
  EXPECT_THAT(Run({"incident", "show", "019aaf2c"}).out,
              AllOf(HasSubstr("Encrypted on db1"), HasSubstr("CN=ops,O=Example"), HasSubstr("CN=vendor"),
                    HasSubstr("SHA-256 " + std::string(64, 'a'))));
  const Outcome verified = Run({"incident", "verify", "019aaf2c"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("the capture of db1 is encrypted"));

  backend_.SetArchive("the archive");
  const std::string file = std::string(fakes::kIncidentId) + "/db1/capture.tar.zst";
  EXPECT_THAT(Run({"incident", "pull", "019aaf2c"}).out,
              AllOf(HasSubstr("the capture of db1 is encrypted to CN=ops,O=Example and 1 more"),
                    HasSubstr("openssl cms -decrypt -inform DER -in " + file +
                              ".cms -inkey KEY.pem -recip CERTIFICATE.pem -out " + file)));
  EXPECT_EQ(Run({"incident", "pull", "019aaf2c", "-o", "-"}).out, "the archive");

  v1::StoreProgress progress;
  progress.set_finished(true);
  progress.set_captures_encrypted(2);
  backend_.SetStoreProgress(progress);
  EXPECT_THAT(Run({"store", "verify", "--all"}).out, HasSubstr("2 captures are encrypted"));
}

TEST_F(CommandTest, WhatWasRedactedIsCounted) {
  EXPECT_THAT(Run({"incident", "show", "019aaf2c"}).out, Not(HasSubstr("Redacted")));
  backend_.Redact();
  EXPECT_THAT(Run({"incident", "show", "019aaf2c"}).out,
              AllOf(HasSubstr("Redacted on db1"), HasSubstr("passwords"), HasSubstr("3 pieces"),
                    HasSubstr("1 line too long"), HasSubstr("not looked at")));
}

TEST_F(CommandTest, PullRefusesAnArchiveThatIsCutShort) {
  backend_.SetArchive("half of it");
  backend_.SetAnnouncedBytes(20);
  ExpectComplaint(Run({"incident", "pull", "019aaf2c", "-o", dir_ / "z.tar"}), 1, "10 of 20 bytes came");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "z.tar"));
}

TEST_F(CommandTest, AFullDiskIsNotSilent) {
  const Outcome outcome = Run({"incident", "pull", "019aaf2c", "-o", "/dev/full"});
  ExpectComplaint(outcome, 1, "No space left on device");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full")) << "it was not replaced by a file";
  EXPECT_FALSE(std::filesystem::exists("/dev/full.part"));
}

TEST_F(CommandTest, WatchPrintsOneObjectALineAndEndsWithTheAgent) {
  std::thread agent([this] {
    while (backend_.watchers() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    backend_.Emit(fakes::SampleEvent());
    backend_.Emit(fakes::SampleEvent());
    // Both are queued for the stream; stopping the server ends it after them or with them cut off.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    server_.reset();
  });
  const Outcome outcome = Run({"event", "watch", "--json"});
  agent.join();
  ExpectComplaint(outcome, 3, "event");
  std::istringstream lines(outcome.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    v1::Event event;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(line, &event).ok()) << line;
  }
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace ffdc
