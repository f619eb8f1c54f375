// SPDX-License-Identifier: Apache-2.0
// Uevents as the kernel sends them, with what drivers and people put into names.
// The kernel passes on what root sends to its uevent socket, to the listeners of
// that network namespace (commit 692ec06d7c92, Linux 4.18).
#include "probe/uevents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/fd.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

class UeventsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to send uevents";
    source_ = UeventSource::Start({[this](const Uevent& event) {
                                     if (event.devpath.find(tag_) != std::string::npos)
                                       heard_.push_back(event);
                                   },
                                   [this] { ++lost_; }});
    ASSERT_GE(source_->poll_fd(), 0) << source_->Status()[0].reason();
  }

  // properties: "NAME=value", any bytes but 0.
  void Send(const std::string& action, const std::string& devpath,
            const std::vector<std::string>& properties) {
    std::string text = action + "@" + devpath;
    for (const std::string& property : properties) text += '\0' + property;
    text += '\0';
    text += "ACTION=" + action + '\0' + "DEVPATH=" + devpath + '\0';
    nlmsghdr header{};
    header.nlmsg_type = NLMSG_MIN_TYPE;
    header.nlmsg_flags = NLM_F_REQUEST;
    header.nlmsg_len = static_cast<uint32_t>(sizeof(header) + text.size());
    const std::string message = std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + text;
    const Fd socket_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    ASSERT_EQ(sendto(socket_fd.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
                     sizeof(kernel)),
              static_cast<ssize_t>(message.size()))
        << strerrordesc_np(errno);
  }

  // Consumes until there are so many.
  bool Hear(size_t count) {
    for (int i = 0; i < 100 && heard_.size() < count; ++i) {
      pollfd ready{source_->poll_fd(), POLLIN, 0};
      poll(&ready, 1, 50);
      source_->Consume();
    }
    return heard_.size() == count;
  }

  // Others of these tests run at the same time, and everybody hears everything.
  const std::string tag_ = "ffdc-test" + std::to_string(getpid()) + "-";
  std::unique_ptr<UeventSource> source_;
  std::vector<Uevent> heard_;
  int lost_ = 0;
};

TEST_F(UeventsTest, DmNamesOfAnyBytesArriveAsText) {
  Send("change", "/devices/virtual/block/" + tag_ + "0",
       {"SUBSYSTEM=block", "DEVTYPE=disk", "DM_NAME=vg-\xff\xc3\xa9\x1b[31m", "DM_PATH=8:\x80\n16",
        "DM_ACTION=PATH_FAILED", "DM_NR_VALID_PATHS=1"});
  ASSERT_TRUE(Hear(1));
  const Uevent& event = heard_[0];
  EXPECT_EQ(event.action, "change");
  EXPECT_EQ(event.subsystem, "block");
  EXPECT_EQ(event.devtype, "disk");
  EXPECT_EQ(event.Get("DM_ACTION"), "PATH_FAILED");
  EXPECT_EQ(event.Get("DM_NR_VALID_PATHS"), "1");
  EXPECT_EQ(event.Get("DM_NAME"), "vg-\\xff\xc3\xa9\\x1b[31m");
  EXPECT_EQ(event.Get("DM_PATH"), "8:\\x80") << "libudev ends a value at its line";
  EXPECT_EQ(event.Get("NO_SUCH"), "");
}

TEST_F(UeventsTest, APathNamesTheFolderThatSysfsHas) {
  Send("add", "/devices/virtual/block/" + tag_ + "!c0d0\xfe", {"SUBSYSTEM=block", "DEVTYPE=disk"});
  ASSERT_TRUE(Hear(1));
  EXPECT_EQ(heard_[0].devpath, "/devices/virtual/block/" + tag_ + "!c0d0\xfe");
}

TEST_F(UeventsTest, WhatMakesNoSenseIsNoTrouble) {
  Send("change", "/devices/" + tag_ + "1",
       {"SUBSYSTEM=block", "=", "A", "\xff=\xff", "DEVTYPE=disk"});  // refused
  Send("change", "/devices/" + tag_ + "2", {"SUBSYSTEM=net"});       // not listened to
  Send("change", "/devices/" + tag_ + "3", {"SUBSYSTEM=module"});
  ASSERT_TRUE(Hear(1)) << heard_.size();
  EXPECT_THAT(heard_.back().devpath, HasSubstr(tag_ + "3"));
  EXPECT_EQ(heard_.back().subsystem, "module");
  EXPECT_TRUE(source_->Status()[0].active());
}

}  // namespace
}  // namespace ffdc
