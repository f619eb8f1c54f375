// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/kmsg.h"
#include "collect_fixture.h"

namespace ffdc {
namespace {

struct Case {
  const char* name;
  std::string bytes;
  std::string line;  // after wall clock; empty: malformed
};

class KmsgTable : public ::testing::TestWithParam<Case> {};

TEST_P(KmsgTable, FormatsAsAPersonReads) {
  v1::CaptureJob job;
  job.mutable_manifest()->mutable_clock()->set_realtime_ns(1'800'000'000'000'000'000);
  job.mutable_manifest()->mutable_clock()->set_monotonic_ns(100'000'000'000);
  const auto record = ParseKmsg(GetParam().bytes);
  if (GetParam().line.empty()) {
    EXPECT_FALSE(record.has_value());
    return;
  }
  ASSERT_TRUE(record.has_value());
  const std::string line = FormatKmsg(*record, JobClock(job));
  ASSERT_GT(line.size(), 25u);
  EXPECT_EQ(line.substr(25), GetParam().line + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Records, KmsgTable,
    ::testing::Values(
        Case{"plain", "6,339,1354911,-;EXT4-fs (vda): mounted\n",
             "kern.info 1.354911 EXT4-fs (vda): mounted"},
        Case{"dictionary", "3,7,99000000,-;I/O error, dev sda\n SUBSYSTEM=block\n DEVICE=b8:0\n",
             "kern.err 99.000000 I/O error, dev sda [SUBSYSTEM=block DEVICE=b8:0]"},
        Case{"caller", "4,7,5,-,caller=T12;x\n", "kern.warning 0.000005 x [caller=T12]"},
        Case{"continuation", "6,7,5,c;partly\n", "kern.info 0.000005 partly"},
        Case{"unknown_fields", "6,7,5,-,caller=C1,more=2,odd;x\n", "kern.info 0.000005 x [caller=C1 more=2]"},
        Case{"user", "12,7,5,-;from systemd\n", "user.warning 0.000005 from systemd"},
        Case{"far_facility", "186,1,5,-;x\n", "facility23.crit 0.000005 x"},
        Case{"utf8", "6,7,5,-;disk \\xc3\\xa9t\\xc3\\xa9\n", "kern.info 0.000005 disk \xc3\xa9t\xc3\xa9"},
        Case{"bad_utf8", "6,7,5,-;a\\xff\\xc3z\n", "kern.info 0.000005 a\\xff\\xc3z"},
        Case{"backslash", "6,7,5,-;C:\\x5cx41 \\q \\x4\n", "kern.info 0.000005 C:\\x41 \\q \\x4"},
        Case{"terminal_escape", "6,7,5,-;\\x1b[31mred\\x07\n", "kern.info 0.000005 \\x1b[31mred\\x07"},
        Case{"embedded_newline", "6,7,5,-;two\\x0alines\n", "kern.info 0.000005 two\n    lines"},
        Case{"no_newline", "6,7,5,-;cut", "kern.info 0.000005 cut"},
        Case{"empty_text", "6,7,5,-;\n", "kern.info 0.000005 "},
        Case{"raw_bytes", std::string("6,7,5,-;a\0\x80z\n", 12), "kern.info 0.000005 a\\x00\\x80z"},
        Case{"semicolons", "6,7,5,-;a;b,c;d\n", "kern.info 0.000005 a;b,c;d"},
        Case{"no_semicolon", "6,7,5,-\n", ""}, Case{"no_flag", "6,7,5;x\n", ""},
        Case{"negative", "6,-7,5,-;x\n", ""}, Case{"overflow", "6,7,99999999999999999999,-;x\n", ""},
        Case{"time_too_large", "6,7,18446744073709551615,-;x\n", ""}, Case{"empty", "", ""}),
    [](const auto& test) { return test.param.name; });

// One record a read, as /dev/kmsg does it.
class FakeKmsg {
 public:
  explicit FakeKmsg(const std::vector<std::string>& records) {
    int pair[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    reader_ = Fd(pair[0]);
    writer_ = Fd(pair[1]);
    for (const auto& record : records) EXPECT_GT(::write(writer_.get(), record.data(), record.size()), 0);
  }
  [[nodiscard]] int fd() const { return reader_.get(); }

 private:
  Fd reader_;
  Fd writer_;
};

TEST(ReadKmsg, GoesToTheNewestAndCountsWhatIsMalformed) {
  const FakeKmsg kmsg({"6,1,5,-;a\n", "nonsense", "6,2,6,-;b\n"});
  std::vector<uint64_t> seen;
  const auto end = ReadKmsg(kmsg.fd(), [&](const KmsgRecord& record) {
    seen.push_back(record.sequence);
    return true;
  });
  ASSERT_TRUE(end);
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(end->records, 2u);
  EXPECT_EQ(end->malformed, 1u);
  EXPECT_TRUE(end->reached_now);
}

TEST(ReadKmsg, StopsWhenTheSinkHasEnough) {
  const FakeKmsg kmsg({"6,1,5,-;a\n", "6,2,6,-;b\n"});
  const auto end = ReadKmsg(kmsg.fd(), [](const KmsgRecord&) { return false; });
  ASSERT_TRUE(end);
  EXPECT_EQ(end->records, 1u);
  EXPECT_FALSE(end->reached_now);
}

TEST(ReadKmsg, AnErrorIsNamed) {
  const auto end = ReadKmsg(-1, [](const KmsgRecord&) { return true; });
  ASSERT_FALSE(end);
  EXPECT_NE(end.error().message.find("kernel log"), std::string::npos);
}

using KernelLogTest = CollectTest;

TEST_F(KernelLogTest, WithoutALogTheCollectorFails) {
  const auto result = Run([&](CollectContext& context) { return CollectKernelLog(context, roots_); });
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(roots_.kmsg.string()), std::string::npos);
}

class RealKernelLogTest : public CollectTest {
 protected:
  void SetUp() override {
    const Fd kmsg(::open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!kmsg.valid()) GTEST_SKIP() << "/dev/kmsg cannot be opened";
    // Something of known content, from user space: facility user, level debug.
    ASSERT_TRUE(WriteAll(kmsg.get(), "<15>ffdc kernel_log test\n", "/dev/kmsg"));
  }
};

TEST_F(RealKernelLogTest, ReadsThisKernelsLog) {
  ASSERT_TRUE(RunRegistered("kernel_log"));
  const std::string log = Output("kernel.log");
  EXPECT_NE(log.find(" ffdc kernel_log test\n"), std::string::npos);
  EXPECT_EQ(log.front(), '#');
  EXPECT_EQ(FindLoss("kernel_log.malformed"), nullptr);
  EXPECT_EQ(FindLoss("kernel_log.unfinished"), nullptr);
}

TEST_F(RealKernelLogTest, TheCapKeepsTheNewest) {
  job_.set_collector_max_bytes(2048);
  ASSERT_TRUE(RunRegistered("kernel_log"));
  const std::string log = Output("kernel.log");
  EXPECT_LE(log.size(), 2048u);
  EXPECT_NE(log.find(" ffdc kernel_log test\n"), std::string::npos);
  ASSERT_NE(FindLoss("kernel_log.cut"), nullptr);
  EXPECT_GT(FindLoss("kernel_log.cut")->count(), 0u);
}

}  // namespace
}  // namespace ffdc
