// SPDX-License-Identifier: Apache-2.0
#include "probe/uevents.h"

#include <libudev.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/result.h"
#include "probe/device_identity.h"

namespace ffdc {
namespace {

constexpr int kUeventBufferBytes = 16 << 20;
constexpr int kMaxUeventsAtOnce = 64;  // then the event loop's other sources get their turn

// What is listened to; libudev leaves out the rest before it is looked at.
constexpr std::pair<const char*, const char*> kSubsystems[] = {
    {"block", "disk"},
    {"nvme", nullptr},
    {"nvme-subsystem", nullptr},
    {"scsi", nullptr},
    {"scsi_host", nullptr},
    {"iscsi_session", nullptr},
    {"iscsi_connection", nullptr},
    {"fc_remote_ports", nullptr},
    {"module", nullptr},
};

struct UdevDeleter {
  void operator()(udev* p) const { udev_unref(p); }
  void operator()(udev_monitor* p) const { udev_monitor_unref(p); }
  void operator()(udev_device* p) const { udev_device_unref(p); }
};
template <class T>
using UdevPtr = std::unique_ptr<T, UdevDeleter>;

std::string Text(const char* text) { return text == nullptr ? std::string() : PrintableUtf8(text); }

Uevent Copy(udev_device* device) {
  Uevent event;
  event.action = Text(udev_device_get_action(device));
  event.subsystem = Text(udev_device_get_subsystem(device));
  event.devtype = Text(udev_device_get_devtype(device));
  // Bytes as they are: it names a folder. Not udev_device_get_sysname(): it puts '/' where sysfs has '!'.
  if (const char* path = udev_device_get_devpath(device)) event.devpath = path;
  udev_list_entry* entry = nullptr;
  udev_list_entry_foreach(entry, udev_device_get_properties_list_entry(device)) {
    event.properties.emplace(Text(udev_list_entry_get_name(entry)), Text(udev_list_entry_get_value(entry)));
  }
  return event;
}

class Monitor final : public UeventSource {
 public:
  explicit Monitor(Sinks sinks) : sinks_(std::move(sinks)) {
    udev_.reset(udev_new());
    if (udev_) monitor_.reset(udev_monitor_new_from_netlink(udev_.get(), "kernel"));
    if (!monitor_) {
      Stop("cannot open the kernel's uevent socket", errno);
      return;
    }
    // Best effort: without CAP_NET_ADMIN the kernel's default stays.
    udev_monitor_set_receive_buffer_size(monitor_.get(), kUeventBufferBytes);
    int failed = 0;
    for (const auto& [subsystem, devtype] : kSubsystems) {
      if (failed >= 0)
        failed = udev_monitor_filter_add_match_subsystem_devtype(monitor_.get(), subsystem, devtype);
    }
    if (failed >= 0) failed = udev_monitor_enable_receiving(monitor_.get());
    if (failed < 0) Stop("cannot listen to the kernel's uevents", -failed);
  }

  [[nodiscard]] int poll_fd() const override { return monitor_ ? udev_monitor_get_fd(monitor_.get()) : -1; }

  void Consume() override {
    for (int i = 0; i < kMaxUeventsAtOnce && monitor_;) {
      const UdevPtr<udev_device> event(udev_monitor_receive_device(monitor_.get()));
      if (event) {
        ++i;
        ++heard_;
        sinks_.event(Copy(event.get()));
        continue;
      }
      if (errno == ENOBUFS) {
        ++overflows_;
        losing_ = true;
        sinks_.lost();
        continue;
      }
      // Until its queue was empty, the socket dropped on without a word (net/netlink/af_netlink.c,
      // netlink_overrun and netlink_rcv_wake).
      if (std::exchange(losing_, false)) sinks_.lost();
      break;
    }
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("uevents");
    status.set_active(monitor_ != nullptr);
    status.set_reason(problem_);
    status.set_attached_to("netlink kobject_uevent");
    status.set_records(heard_);
    status.set_drops(overflows_);
    return {status};
  }

 private:
  void Stop(const std::string& what, int error) {
    monitor_.reset();
    problem_ = FailErrno(what, error).value().message + ": devices that come later are found when they fail";
  }

  const Sinks sinks_;
  UdevPtr<udev> udev_;
  UdevPtr<udev_monitor> monitor_;
  std::string problem_;
  uint64_t heard_ = 0;
  uint64_t overflows_ = 0;
  bool losing_ = false;
};

}  // namespace

std::unique_ptr<UeventSource> UeventSource::Start(Sinks sinks) {
  return std::make_unique<Monitor>(std::move(sinks));
}

}  // namespace ffdc
