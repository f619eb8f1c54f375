// SPDX-License-Identifier: Apache-2.0
#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"

namespace ffdc {
namespace {

// sd-event's own default is 250 ms, too coarse for retries and deadlines.
constexpr uint64_t kTimerAccuracyUs = 1000;

class SdSource final : public EventLoop::Source {
 public:
  ~SdSource() override { sd_event_source_disable_unref(source); }

  sd_event_source* source = nullptr;
  std::function<void(uint32_t)> on_io;
  std::function<void()> on_event;
  uint64_t interval_us = 0;
};

int HandleIo(sd_event_source*, int, uint32_t revents, void* data) {
  static_cast<SdSource*>(data)->on_io(revents);
  return 0;
}

int HandleSignal(sd_event_source*, const signalfd_siginfo*, void* data) {
  static_cast<SdSource*>(data)->on_event();
  return 0;
}

int HandleTimer(sd_event_source* source, uint64_t, void* data) {
  auto* self = static_cast<SdSource*>(data);
  sd_event_source_set_time_relative(source, self->interval_us);
  sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
  self->on_event();
  return 0;
}

int HandleAfter(sd_event_source*, uint64_t, void* data) {
  // The callback frees its own source: it must not run from inside of it.
  const auto callback = std::move(static_cast<SdSource*>(data)->on_event);
  callback();
  return 0;
}

class SdEventLoop final : public EventLoop {
 public:
  ~SdEventLoop() override {
    wakeup_source_.reset();
    pending_.clear();
    sd_event_unref(event_);
  }

  Result<> Init() {
    int rc = sd_event_new(&event_);
    if (rc < 0) return FailErrno("cannot make the event loop", -rc);
    wakeup_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wakeup_.valid()) return FailErrno("cannot make the event loop's eventfd");
    FFDC_ASSIGN(wakeup_source_, AddIo(wakeup_.get(), EPOLLIN, [this](uint32_t) { RunPosted(); }));
    return {};
  }

  Result<SourcePtr> AddIo(int fd, uint32_t events, std::function<void(uint32_t)> callback) override {
    auto source = std::make_unique<SdSource>();
    source->on_io = std::move(callback);
    const int rc = sd_event_add_io(event_, &source->source, fd, events, HandleIo, source.get());
    if (rc < 0) return FailErrno("cannot watch a file descriptor", -rc);
    return SourcePtr(std::move(source));
  }

  Result<SourcePtr> AddUrgentIo(int fd, uint32_t events, std::function<void(uint32_t)> callback) override {
    FFDC_ASSIGN(SourcePtr source, AddIo(fd, events, std::move(callback)));
    sd_event_source_set_priority(static_cast<SdSource&>(*source).source, SD_EVENT_PRIORITY_IMPORTANT);
    return source;
  }

  Result<SourcePtr> AddTimer(std::chrono::nanoseconds interval, std::function<void()> callback) override {
    auto source = std::make_unique<SdSource>();
    source->on_event = std::move(callback);
    source->interval_us = Microseconds(interval);
    const int rc = sd_event_add_time_relative(event_, &source->source, CLOCK_MONOTONIC, source->interval_us,
                                              kTimerAccuracyUs, HandleTimer, source.get());
    if (rc < 0) return FailErrno("cannot add a timer", -rc);
    return SourcePtr(std::move(source));
  }

  Result<SourcePtr> AddSignal(int signal, std::function<void()> callback) override {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    auto source = std::make_unique<SdSource>();
    source->on_event = std::move(callback);
    const int rc = sd_event_add_signal(event_, &source->source, signal, HandleSignal, source.get());
    if (rc < 0) return FailErrno("cannot watch a signal", -rc);
    return SourcePtr(std::move(source));
  }

  void Post(std::function<void()> fn) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(fn));
    }
    const uint64_t one = 1;
    // A full counter means that a wake-up is pending already.
    [[maybe_unused]] const ssize_t put = write(wakeup_.get(), &one, sizeof one);
  }

  void After(std::chrono::nanoseconds delay, std::function<void()> fn) override {
    auto source = std::make_unique<SdSource>();
    SdSource* const key = source.get();
    source->on_event = [this, key, fn = std::move(fn)] {
      const auto fired = pending_.extract(key);  // lives until fn has run
      fn();
    };
    // From now on, not from when the loop woke up, as sd_event_add_time_relative counts: never too early.
    const auto now = std::chrono::nanoseconds(SystemClock().MonotonicNs());
    if (sd_event_add_time(event_, &source->source, CLOCK_MONOTONIC, Microseconds(now + delay) + 1,
                          kTimerAccuracyUs, HandleAfter, key) >= 0)
      pending_[key] = std::move(source);
  }

  void EnableWatchdog() override { sd_event_set_watchdog(event_, 1); }

  Result<> Run() override {
    const int rc = sd_event_loop(event_);
    if (rc < 0) return FailErrno("the event loop ended", -rc);
    return {};
  }

  void Stop() override {
    Post([this] { sd_event_exit(event_, 0); });
  }

 private:
  static uint64_t Microseconds(std::chrono::nanoseconds value) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(value).count());
  }

  void RunPosted() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wakeup_.get(), &count, sizeof count);
    std::deque<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(posted_);
    }
    for (auto& fn : work) fn();
  }

  sd_event* event_ = nullptr;
  Fd wakeup_;
  SourcePtr wakeup_source_;
  std::map<SdSource*, std::unique_ptr<SdSource>> pending_;  // one-shots that have not fired
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;
};

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  auto loop = std::make_unique<SdEventLoop>();
  FFDC_TRY(loop->Init());
  return std::unique_ptr<EventLoop>(std::move(loop));
}

}  // namespace ffdc
