// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"
#include "capture/node_state.h"
#include "capture/text.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

using NodeStateTest = CollectTest;

TEST_F(NodeStateTest, MountsAreATable) {
  Put("proc/self/mountinfo",
      "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,emergency_ro\n"
      "2 1 0:50 /exports /mnt/a\\040b\\012c ro - nfs4 srv:/exports rw,hard\n"
      "nonsense\n");
  ASSERT_TRUE(Run([&](CollectContext& context) { return CollectMounts(context, roots_); }));
  const std::string text = Output("mounts.txt");
  EXPECT_NE(text.find("/dev/sda1                    8:1      rw,relatime | rw,emergency_ro [shared:1]\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("/mnt/a b\\x0ac "), std::string::npos) << text;
  EXPECT_NE(text.find("(root of the mount: /exports)\n"), std::string::npos) << text;
  ASSERT_NE(FindLoss("mounts.malformed"), nullptr);
  EXPECT_EQ(FindLoss("mounts.malformed")->count(), 1u);
}

TEST_F(NodeStateTest, MountsFailWithoutTheirList) {
  EXPECT_FALSE(Run([&](CollectContext& context) { return CollectMounts(context, roots_); }));
}

TEST(ParseInetSocket, ReadsV4) {
  const auto socket = ParseInetSocket(
      "  12: 0100007F:0016 0202A8C0:A1B2 01 00000010:00000020 01:00000014 00000003  1000        0 4711 2 x "
      "20 4 30 10 -1");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->local, "127.0.0.1:22");
  EXPECT_EQ(socket->remote, "192.168.2.2:41394");
  EXPECT_EQ(socket->send_queue_bytes, 16u);
  EXPECT_EQ(socket->receive_queue_bytes, 32u);
  EXPECT_EQ(socket->retransmits, 3u);
  EXPECT_EQ(socket->uid, 1000u);
  EXPECT_EQ(socket->inode, 4711u);
  const std::string line = FormatInetSocket("tcp", *socket);
  EXPECT_NE(line.find("ESTABLISHED"), std::string::npos);
  EXPECT_NE(line.find("retransmit 0.20s"), std::string::npos);
}

TEST(ParseInetSocket, ReadsV6AndListeners) {
  const auto socket = ParseInetSocket(
      "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000005 "
      "00:00000000 00000000     0        0 99");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->local, "[::1]:8080");
  EXPECT_EQ(socket->remote, "[::]:*");
  EXPECT_NE(FormatInetSocket("tcp6", *socket).find("LISTEN"), std::string::npos);
}

TEST(ParseInetSocket, StatesWithoutANameAreNumbers) {
  InetSocket socket;
  socket.state = 7;
  EXPECT_NE(FormatInetSocket("udp", socket).find("UNCONNECTED"), std::string::npos);
  EXPECT_NE(FormatInetSocket("tcp", socket).find("CLOSE "), std::string::npos);
  socket.state = 99;
  socket.timer = 9;
  EXPECT_NE(FormatInetSocket("tcp", socket).find("99 "), std::string::npos);
}

TEST(ParseInetSocket, RefusesWhatIsNone) {
  const std::string good = "0: 0100007F:0016 0100007F:0016 01 0:0 0:0 0 0 0 1";
  ASSERT_TRUE(ParseInetSocket(good));
  for (const char* line : {"", "0:", "0: 0100007F:0016", "0: 0100007F 0100007F:0016 01 0:0 0:0 0 0 0 1",
                           "0: 0100007G:0016 0100007F:0016 01 0:0 0:0 0 0 0 1",
                           "0: 0100007F:10016 0100007F:0016 01 0:0 0:0 0 0 0 1",
                           "0: 0100007F:0016 0100007F:0016 01 0 0:0 0 0 0 1",
                           "0: 0100007F:0016 0100007F:0016 01 0:0 0:0 0 0 0 x"}) {
    EXPECT_FALSE(ParseInetSocket(line)) << line;
  }
}

TEST_F(NodeStateTest, NetworkListsInterfacesAndSockets) {
  Put("sys/class/net/bonding_masters", "bond0\n");
  Put("sys/class/net/eth7/operstate", "down\n");
  Put("sys/class/net/eth7/speed", "-1\n");
  Put("sys/class/net/eth7/carrier_changes", "5\n");
  Put("sys/class/net/eth7/bonding_slave/state", "backup\n");
  Link("sys/class/net/eth7/master", "../bond0");
  Put("sys/class/net/bond0/speed", "25000\n");
  Put("proc/net/dev", "Inter-|   Receive\n face |bytes\n  eth7: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  Put("proc/net/tcp", "header\n 0: 0100007F:0016 00000000:0000 0A 0:0 0:0 0 0 0 1\nodd\n");
  Put("proc/net/tcp6", "header\n");
  Put("proc/net/udp", "header\n 0: 0100007F:0035 00000000:0000 07 0:0 0:0 0 0 0 2\n");
  ASSERT_TRUE(Run([&](CollectContext& context) { return CollectNetwork(context, roots_); }));
  const auto lines = Lines("interfaces.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["speed_mbit"].GetInt(), 25000);
  EXPECT_STREQ(lines[1]["name"].GetString(), "eth7");
  EXPECT_FALSE(lines[1].HasMember("speed_mbit"));
  EXPECT_STREQ(lines[1]["operstate"].GetString(), "down");
  EXPECT_STREQ(lines[1]["bonding_slave/state"].GetString(), "backup");
  EXPECT_STREQ(lines[1]["master"].GetString(), "bond0");
  EXPECT_EQ(lines[1]["carrier_changes"].GetInt(), 5);
  EXPECT_EQ(lines[1]["counters"]["rx_errors"].GetInt(), 3);
  EXPECT_EQ(lines[1]["counters"]["tx_compressed"].GetInt(), 16);
  const std::string sockets = Output("sockets.txt");
  EXPECT_NE(sockets.find("tcp   127.0.0.1:22"), std::string::npos) << sockets;
  EXPECT_NE(sockets.find("udp   127.0.0.1:53"), std::string::npos) << sockets;
  ASSERT_NE(FindLoss("network.malformed"), nullptr);
  EXPECT_EQ(FindLoss("network.malformed")->count(), 1u);
  ASSERT_NE(FindLoss("network.udp6"), nullptr);
  EXPECT_EQ(FindLoss("network.udp6")->count(), 0u);
}

TEST_F(NodeStateTest, TheCapIsRespectedBySockets) {
  std::string tcp = "header\n";
  for (int i = 0; i < 1000; ++i) tcp += " 0: 0100007F:0016 00000000:0000 0A 0:0 0:0 0 0 0 1\n";
  Put("proc/net/tcp", tcp);
  Put("sys/class/net/lo/operstate", "up\n");
  job_.set_collector_max_bytes(4096);
  ASSERT_TRUE(Run([&](CollectContext& context) { return CollectNetwork(context, roots_); }));
  EXPECT_LE(Output("sockets.txt").size(), 4096u);
  EXPECT_EQ(Output("sockets.txt").back(), '\n');
  EXPECT_NE(FindLoss("network.sockets_left_out"), nullptr);
}

TEST_F(NodeStateTest, SystemHasAHeadingForEachSource) {
  Put("proc/loadavg", "0.1 0.2 0.3 1/2 3\n");
  Put("proc/vmstat", "nr_dirty 5\nnr_kernel_stack 6\n");
  Put("proc/cmdline", "quiet \x1b[2J\n");
  ASSERT_TRUE(Run([&](CollectContext& context) { return CollectSystem(context, roots_); }));
  const std::string text = Output("system.txt");
  EXPECT_NE(text.find("== /proc/loadavg ==\n0.1 0.2 0.3 1/2 3\n\n"), std::string::npos);
  EXPECT_NE(text.find("nr_dirty 5\n"), std::string::npos);
  EXPECT_EQ(text.find("nr_kernel_stack"), std::string::npos);
  EXPECT_NE(text.find("quiet \\x1b[2J\n"), std::string::npos);
  EXPECT_NE(text.find("== /proc/pressure/io ==\n(not available: the kernel has no PSI"), std::string::npos);
  ASSERT_NE(FindLoss("system.pressure/io"), nullptr);
  EXPECT_EQ(FindLoss("system.pressure/io")->count(), 0u);
}

TEST_F(NodeStateTest, SystemFailsWithoutProc) {
  EXPECT_FALSE(Run([&](CollectContext& context) { return CollectSystem(context, roots_); }));
}

TEST_F(NodeStateTest, VersionsAreTheManifests) {
  job_.mutable_manifest()->mutable_versions()->set_kernel("6.18.0");
  auto& probe = *job_.mutable_manifest()->add_probes();
  probe.set_name("block_io");
  probe.set_active(true);
  ASSERT_TRUE(RunRegistered("versions"));
  rapidjson::Document json;
  json.Parse(Output("versions.json").c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["versions"]["kernel"].GetString(), "6.18.0");
  EXPECT_STREQ(json["probes"][0]["name"].GetString(), "block_io");
  EXPECT_TRUE(json["probes"][0]["active"].GetBool());
}

TEST_F(NodeStateTest, ReadsThisMachine) {
  for (const char* name : {"mounts", "network", "system"}) EXPECT_TRUE(RunRegistered(name)) << name;
}

TEST(Utf8Text, KeepsWhatIsValidAndShowsTheRest) {
  EXPECT_EQ(Utf8Text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xbe"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xbe");
  EXPECT_EQ(Utf8Text("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(Utf8Text("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(Utf8Text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
  EXPECT_EQ(Utf8Text("a\xe2\x82"), "a\\xe2\\x82");                  // cut short
  EXPECT_EQ(PlainText("a\tb\nc\x7f"), "a\tb\\x0ac\\x7f");
}

TEST(HumanBytes, StepsAt1024) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "16.0 EiB");
}

}  // namespace
}  // namespace ffdc
