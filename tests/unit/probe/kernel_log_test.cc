// SPDX-License-Identifier: Apache-2.0
#include "probe/kernel_log.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "fakes/fake_clock.h"
#include "fakes/units.h"

namespace ffdc {
namespace {

// A socket that keeps its messages apart stands for /dev/kmsg: one record a read.
class KernelLogTest : public testing::Test {
 protected:
  KernelLogTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    kernel_ = Fd(ends[0]);
    source_ = KernelLogSource::Start(Fd(ends[1]), clock_,
                                     [this](const KernelMessage& message) { heard_.push_back(message); });
  }
  void Log(const std::string& record) const {
    ASSERT_EQ(send(kernel_.get(), record.data(), record.size(), 0), static_cast<ssize_t>(record.size()));
  }
  [[nodiscard]] v1::Probe Status() const { return source_->Status().at(0); }

  FakeClock clock_;
  Fd kernel_;
  std::vector<KernelMessage> heard_;
  std::unique_ptr<KernelLogSource> source_;
};

TEST_F(KernelLogTest, HearsWhatTheKernelAndWhatAProcessSays) {
  Log("3,7,99000000,-;I/O error, dev sda\n SUBSYSTEM=block\n DEVICE=b8:0\n");
  Log("12,8,99000001,-;I/O error, dev sda\n");
  source_->Consume();
  ASSERT_EQ(heard_.size(), 2u);
  EXPECT_EQ(heard_[0].level, 3u);
  EXPECT_EQ(heard_[0].facility, 0u);
  EXPECT_EQ(heard_[0].text, "I/O error, dev sda");
  EXPECT_EQ(heard_[0].properties, "SUBSYSTEM=block DEVICE=b8:0");
  EXPECT_EQ(heard_[1].level, 4u);
  EXPECT_EQ(heard_[1].facility, 1u);
  EXPECT_TRUE(Status().active());
  EXPECT_EQ(Status().records(), 2u);
}

TEST_F(KernelLogTest, AFloodLetsOthersHaveTheirTurn) {
  int sent = 0;
  for (const std::string record = "6,1,5,-;x\n"; send(kernel_.get(), record.data(), record.size(), 0) > 0;)
    ++sent;
  ASSERT_GT(sent, 100);
  source_->Consume();
  EXPECT_EQ(heard_.size(), 64u);
  while (heard_.size() < static_cast<size_t>(sent)) {
    const size_t before = heard_.size();
    source_->Consume();
    ASSERT_GT(heard_.size(), before);
  }
}

TEST_F(KernelLogTest, WhatIsGoneBeforeItWasReadIsCounted) {
  Log("6,10,5,-;x\n");
  Log("6,15,6,-;x\n");
  Log("no record");
  source_->Consume();
  EXPECT_EQ(heard_.size(), 2u);
  EXPECT_EQ(Status().drops(), 5u);
}

// After weeks the log's clock is seconds off: then only the distance of its records is good.
TEST_F(KernelLogTest, TimesAreMonotonicHoweverFarTheLogsClockIsOff) {
  for (const uint64_t log_us : {1'000'000u, 2'000'000'000u}) {
    heard_.clear();
    Log("6,1," + std::to_string(log_us) + ",-;first\n");
    Log("6,2," + std::to_string(log_us - 3000) + ",-;from another CPU\n");
    Log("6,3," + std::to_string(log_us + 5000) + ",-;cannot be from the future\n");
    source_->Consume();
    ASSERT_EQ(heard_.size(), 3u);
    EXPECT_EQ(heard_[0].time_ns, clock_.now_ns);
    EXPECT_EQ(heard_[1].time_ns, clock_.now_ns - 3 * kMs);
    EXPECT_EQ(heard_[2].time_ns, clock_.now_ns);
  }
}

}  // namespace
}  // namespace ffdc
