// SPDX-License-Identifier: Apache-2.0
// The real sd-bus on both ends of a socket: a manager of our own answers as systemd does.
#include "probe/units.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <vector>

namespace ffdc {
namespace {

constexpr const char* kPath = "/org/freedesktop/systemd1/unit/osd_2eservice";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr const char* kService = "org.freedesktop.systemd1.Service";

class FakeManager {
 public:
  explicit FakeManager(int fd) {
    sd_bus* bus = nullptr;
    sd_id128_t id{};
    id.bytes[0] = 1;
    EXPECT_GE(sd_bus_new(&bus), 0);
    bus_.reset(bus);
    EXPECT_GE(sd_bus_set_fd(bus, fd, fd), 0);
    EXPECT_GE(sd_bus_set_server(bus, 1, id), 0);
    EXPECT_GE(sd_bus_set_sender(bus, "org.freedesktop.systemd1"), 0);
    EXPECT_GE(sd_bus_add_filter(bus, nullptr, OnCall, this), 0);
    EXPECT_GE(sd_bus_start(bus), 0);
  }
  void Process() const {
    while (sd_bus_process(bus_.get(), nullptr) > 0) {
    }
  }
  void Change(const char* interface, const std::map<std::string, std::string>& properties) const {
    sd_bus_message* signal = nullptr;
    ASSERT_GE(sd_bus_message_new_signal(bus_.get(), &signal, kPath, "org.freedesktop.DBus.Properties",
                                        "PropertiesChanged"),
              0);
    sd_bus_message_append(signal, "s", interface);
    AppendAll(signal, properties);
    sd_bus_message_append(signal, "as", 1, "MainPID");
    EXPECT_GE(sd_bus_send(bus_.get(), signal, nullptr), 0);
    sd_bus_message_unref(signal);
  }

  std::map<std::string, std::string> state{{"ActiveState", "active"}, {"SubState", "running"}};
  std::string result = "success";
  bool refuses = false;

 private:
  static void AppendAll(sd_bus_message* message, const std::map<std::string, std::string>& properties) {
    sd_bus_message_open_container(message, 'a', "{sv}");
    // What is of no use to us comes along, of another type.
    sd_bus_message_append(message, "{sv}", "StateChangeTimestamp", "t", uint64_t{5});
    for (const auto& [name, value] : properties)
      sd_bus_message_append(message, "{sv}", name.c_str(), "s", value.c_str());
    sd_bus_message_close_container(message);
  }

  static int OnCall(sd_bus_message* call, void* self, sd_bus_error* /*error*/) {
    return static_cast<FakeManager*>(self)->Answer(call);
  }

  int Answer(sd_bus_message* call) {
    if (sd_bus_message_get_member(call) == nullptr) return 0;
    const std::string member = sd_bus_message_get_member(call);
    if (refuses) return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "not for you");
    if (member == "Subscribe") return sd_bus_reply_method_return(call, "");
    if (member == "LoadUnit") return sd_bus_reply_method_return(call, "o", kPath);
    if (member == "Get") return sd_bus_reply_method_return(call, "v", "s", result.c_str());
    if (member != "GetAll") return 0;
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(call, &reply);
    AppendAll(reply, state);
    const int sent = sd_bus_send(nullptr, reply, nullptr);
    sd_bus_message_unref(reply);
    return sent < 0 ? sent : 1;
  }

  BusPtr bus_;
};

class UnitsTest : public testing::Test {
 protected:
  void Start() {
    source_ = UnitSource::Start(
        {"osd.service"}, [this](const UnitState& state) { seen_.push_back(state); },
        [this]() -> Result<BusPtr> {
          if (!reachable_) return Fail("no bus here");
          int ends[2];
          EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
          manager_ = std::make_unique<FakeManager>(ends[0]);
          manager_->refuses = refuses_;
          sd_bus* bus = nullptr;
          EXPECT_GE(sd_bus_new(&bus), 0);
          BusPtr owner(bus);
          EXPECT_GE(sd_bus_set_fd(bus, ends[1], ends[1]), 0);
          EXPECT_GE(sd_bus_start(bus), 0);
          return owner;
        });
    Run();
  }
  void Run() {
    for (int i = 0; i < 50; ++i) {
      if (manager_) manager_->Process();
      pollfd ready{source_->poll_fd(), POLLIN, 0};
      if (poll(&ready, 1, 1) > 0) source_->Consume();
    }
  }

  bool reachable_ = true;
  bool refuses_ = false;
  std::unique_ptr<FakeManager> manager_;
  std::vector<UnitState> seen_;
  std::unique_ptr<UnitSource> source_;
};

TEST_F(UnitsTest, TellsOfTheUnitAsItIsAndOfEveryChange) {
  Start();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].unit, "osd.service");
  EXPECT_EQ(seen_[0].active_state, "active");
  EXPECT_EQ(seen_[0].sub_state, "running");
  EXPECT_EQ(seen_[0].result, "success");
  EXPECT_NE(seen_[0].time_ns, 0u);
  const v1::Probe status = source_->Status().at(0);
  EXPECT_TRUE(status.active());
  EXPECT_EQ(status.reason(), "");

  manager_->Change(kService, {{"Result", "signal"}});
  manager_->Change(kUnit, {{"ActiveState", "failed"}, {"SubState", "failed"}});
  Run();
  ASSERT_EQ(seen_.size(), 2u);  // the unit's properties come last, and tell all
  EXPECT_EQ(seen_[1].active_state, "failed");
  EXPECT_EQ(seen_[1].result, "signal");
}

TEST_F(UnitsTest, ABusThatGoesAwayIsSaid) {
  Start();
  manager_.reset();
  reachable_ = false;
  for (int i = 0; i < 5; ++i) {
    source_->Poll();
    Run();
  }
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[1].active_state, "");  // what happens now is not seen
  EXPECT_FALSE(source_->Status().at(0).active());
  EXPECT_NE(source_->Status().at(0).reason(), "");
}

TEST_F(UnitsTest, NoBusIsInactiveWithAReason) {
  reachable_ = false;
  Start();
  EXPECT_TRUE(seen_.empty());
  EXPECT_FALSE(source_->Status().at(0).active());
  EXPECT_EQ(source_->Status().at(0).reason(), "no bus here");
}

TEST_F(UnitsTest, AManagerThatRefusesIsInactiveWithAReason) {
  refuses_ = true;
  Start();
  EXPECT_TRUE(seen_.empty());
  EXPECT_FALSE(source_->Status().at(0).active());
  EXPECT_NE(source_->Status().at(0).reason().find("not for you"), std::string::npos);
}

}  // namespace
}  // namespace ffdc
