// SPDX-License-Identifier: Apache-2.0
// org.freedesktop.systemd1(5). A change is told in two signals: first the properties of
// the unit's own type (Result), then those of the unit (ActiveState, SubState).
#include "probe/units.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"

namespace ffdc {
namespace {

constexpr const char* kManager = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnitInterface = "org.freedesktop.systemd1.Unit";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr int kMaxBusMessagesAtOnce = 64;  // then the event loop's other sources get their turn
constexpr uint64_t kRetryNs = 5'000'000'000;
constexpr uint64_t kCallTimeoutUs = 10'000'000;

// "org.freedesktop.systemd1.Service" of "x.service".
std::string TypeInterface(const std::string& unit) {
  std::string type = unit.substr(unit.rfind('.') + 1);
  if (!type.empty()) type[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[0])));
  return std::string(kManager) + "." + type;
}

// As sd_bus_open_system() has it, which would start libsystemd's own defaults of waiting.
Result<BusPtr> ConnectToSystemBus() {
  const char* address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
  if (address == nullptr) address = "unix:path=/run/dbus/system_bus_socket";
  sd_bus* bus = nullptr;
  int failed = sd_bus_new(&bus);
  BusPtr owner(bus);
  if (failed >= 0) failed = sd_bus_set_address(bus, address);
  if (failed >= 0) failed = sd_bus_set_bus_client(bus, 1);
  if (failed >= 0) failed = sd_bus_start(bus);  // its socket is non-blocking, its handshake goes on later
  if (failed < 0) return FailErrno(std::string("cannot connect to D-Bus at ") + address, -failed);
  return owner;
}

class UnitWatcher final : public UnitSource {
 public:
  UnitWatcher(std::vector<std::string> units, Sink sink, Connect connect)
      : sink_(std::move(sink)), connect_(std::move(connect)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (std::string& name : units) {
      units_.push_back(std::make_unique<Unit>());
      units_.back()->watcher = this;
      units_.back()->state.unit = std::move(name);
    }
    Open();
  }
  UnitWatcher(const UnitWatcher&) = delete;
  UnitWatcher& operator=(const UnitWatcher&) = delete;
  ~UnitWatcher() override { Close(); }

  // The bus may be another one later; this stays.
  [[nodiscard]] int poll_fd() const override { return epoll_.get(); }

  void Consume() override {
    for (int i = 0; i < kMaxBusMessagesAtOnce && bus_; ++i) {
      const int more = sd_bus_process(bus_.get(), nullptr);
      if (more < 0) Lose(FailErrno("the connection to D-Bus broke", -more).value().message);
      if (more <= 0) break;
    }
    if (bus_ && broken_) Lose(std::exchange(problem_, {}));
    WaitForBus();
  }

  void Poll() override {
    if (!bus_ && SystemClock().MonotonicNs() >= retry_ns_) Open();
    Consume();  // calls that timed out have no readable fd
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("units");
    status.set_active(subscribed_);
    status.set_attached_to("D-Bus org.freedesktop.systemd1");
    status.set_reason(problem_);
    status.set_idle(!subscribed_ && units_.empty());
    status.set_records(heard_);
    return {status};
  }

 private:
  struct Unit {
    UnitWatcher* watcher = nullptr;
    UnitState state;
    std::vector<BusSlotPtr> slots;  // its matches and calls
  };

  void Open() {
    auto bus = connect_();
    if (!bus) {
      Lose(bus.error().message);
      return;
    }
    bus_ = std::move(*bus);
    broken_ = false;
    problem_ = "waiting for systemd to answer on D-Bus";
    sd_bus_set_method_call_timeout(bus_.get(), kCallTimeoutUs);
    manager_slots_.clear();
    Call(manager_slots_, OnSubscribed, this, kManagerPath, kManagerInterface, "Subscribe", "");
    for (auto& unit : units_)
      Call(unit->slots, OnLoaded, unit.get(), kManagerPath, kManagerInterface, "LoadUnit", "s",
           unit->state.unit.c_str());
    WaitForBus();
  }

  void Lose(std::string why) {
    Close();
    problem_ = std::move(why);
    retry_ns_ = SystemClock().MonotonicNs() + kRetryNs;
    for (auto& unit : units_) {
      if (unit->state.active_state.empty()) continue;
      unit->state = {unit->state.unit, "", "", "", SystemClock().MonotonicNs()};
      sink_(unit->state);
    }
  }

  void Close() {
    subscribed_ = false;
    if (watched_fd_ >= 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched_fd_, nullptr);
    watched_fd_ = -1;
    manager_slots_.clear();
    for (auto& unit : units_) unit->slots.clear();
    bus_.reset();
  }

  // What the bus waits for changes while it connects and sends.
  void WaitForBus() {
    if (!bus_) return;
    const int fd = sd_bus_get_fd(bus_.get());
    const int events = sd_bus_get_events(bus_.get());
    if (fd < 0 || events < 0) return;
    epoll_event wanted{};
    wanted.events = static_cast<uint32_t>(events);  // POLLIN and POLLOUT are EPOLLIN and EPOLLOUT
    if (fd != watched_fd_ && watched_fd_ >= 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched_fd_, nullptr);
    epoll_ctl(epoll_.get(), fd == watched_fd_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &wanted);
    watched_fd_ = fd;
  }

  template <class... Arguments>
  void Call(std::vector<BusSlotPtr>& slots, sd_bus_message_handler_t reply, void* self, const char* path,
            const char* interface, const char* method, const char* types, Arguments... arguments) {
    sd_bus_slot* slot = nullptr;
    const int failed = sd_bus_call_method_async(bus_.get(), &slot, kManager, path, interface, method, reply,
                                                self, types, arguments...);
    if (failed < 0) Break(FailErrno(std::string("cannot call ") + method + " of systemd", -failed));
    slots.emplace_back(slot);
  }

  // From within a callback of the bus, which must live until it returns.
  void Break(const Unexpected& error) {
    broken_ = true;
    problem_ = error.value().message;
  }

  static int OnSubscribed(sd_bus_message* reply, void* self, sd_bus_error* /*error*/) {
    auto& watcher = *static_cast<UnitWatcher*>(self);
    if (const sd_bus_error* refused = sd_bus_message_get_error(reply)) {
      watcher.Break(Fail(std::string("systemd does not tell of its units: ") + refused->message));
    } else {
      watcher.subscribed_ = true;
      watcher.problem_.clear();
    }
    return 0;
  }

  static int OnLoaded(sd_bus_message* reply, void* self, sd_bus_error* /*error*/) {
    auto& unit = *static_cast<Unit*>(self);
    const char* path = nullptr;
    if (const sd_bus_error* refused = sd_bus_message_get_error(reply)) {
      unit.watcher->Break(Fail("cannot watch unit " + unit.state.unit + ": " + refused->message));
    } else if (sd_bus_message_read(reply, "o", &path) >= 0) {
      unit.watcher->Follow(unit, path);
    }
    return 0;
  }

  // Its changes first, so that none is missed between its state now and them.
  void Follow(Unit& unit, const char* path) {
    sd_bus_slot* slot = nullptr;
    const int failed = sd_bus_match_signal_async(bus_.get(), &slot, kManager, path, kProperties,
                                                 "PropertiesChanged", OnChanged, nullptr, &unit);
    if (failed < 0) {
      Break(FailErrno("cannot listen to unit " + unit.state.unit, -failed));
      return;
    }
    unit.slots.emplace_back(slot);
    Call(unit.slots, OnResult, &unit, path, kProperties, "Get", "ss", TypeInterface(unit.state.unit).c_str(),
         "Result");
    Call(unit.slots, OnState, &unit, path, kProperties, "GetAll", "s", kUnitInterface);
  }

  static int OnResult(sd_bus_message* reply, void* self, sd_bus_error* /*error*/) {
    auto& unit = *static_cast<Unit*>(self);
    const char* result = nullptr;
    // Targets and slices have none.
    if (sd_bus_message_is_method_error(reply, nullptr) == 0 &&
        sd_bus_message_read(reply, "v", "s", &result) >= 0)
      unit.state.result = result;
    return 0;
  }

  static int OnState(sd_bus_message* reply, void* self, sd_bus_error* /*error*/) {
    auto& unit = *static_cast<Unit*>(self);
    if (sd_bus_message_is_method_error(reply, nullptr) == 0) unit.watcher->Read(unit, reply, true);
    return 0;
  }

  static int OnChanged(sd_bus_message* signal, void* self, sd_bus_error* /*error*/) {
    auto& unit = *static_cast<Unit*>(self);
    const char* interface = nullptr;
    if (sd_bus_message_read(signal, "s", &interface) >= 0)
      unit.watcher->Read(unit, signal, strcmp(interface, kUnitInterface) == 0);
    return 0;
  }

  // a{sv}: takes the properties that matter; `tell` when the unit's own are among them.
  void Read(Unit& unit, sd_bus_message* message, bool tell) {
    ++heard_;
    UnitState& state = unit.state;
    const std::pair<const char*, std::string*> wanted[] = {
        {"ActiveState", &state.active_state}, {"SubState", &state.sub_state}, {"Result", &state.result}};
    if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return;
    while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
      const char* name = nullptr;
      if (sd_bus_message_read(message, "s", &name) < 0) return;
      std::string* into = nullptr;
      for (const auto& [property, text] : wanted)
        if (strcmp(name, property) == 0) into = text;
      const char* value = nullptr;
      if (into == nullptr) {
        sd_bus_message_skip(message, "v");
      } else if (sd_bus_message_read(message, "v", "s", &value) >= 0) {
        *into = value;
      }
      if (sd_bus_message_exit_container(message) < 0) return;
    }
    if (!tell || state.active_state.empty()) return;
    state.time_ns = SystemClock().MonotonicNs();
    sink_(state);
  }

  const Sink sink_;
  const Connect connect_;
  const Fd epoll_;
  std::vector<std::unique_ptr<Unit>> units_;
  BusPtr bus_;
  std::vector<BusSlotPtr> manager_slots_;
  int watched_fd_ = -1;
  bool subscribed_ = false;
  bool broken_ = false;
  uint64_t retry_ns_ = 0;
  uint64_t heard_ = 0;
  std::string problem_;
};

}  // namespace

std::unique_ptr<UnitSource> UnitSource::Start(std::vector<std::string> units, Sink sink) {
  return Start(std::move(units), std::move(sink), ConnectToSystemBus);
}

std::unique_ptr<UnitSource> UnitSource::Start(std::vector<std::string> units, Sink sink, Connect connect) {
  return std::make_unique<UnitWatcher>(std::move(units), std::move(sink), std::move(connect));
}

}  // namespace ffdc
