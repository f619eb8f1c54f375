// SPDX-License-Identifier: Apache-2.0
// The agent's one event loop: sd-event behind RAII. Everything runs on the
// thread that calls Run(), except Post(), which any thread may call.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"

namespace ffdc {

class EventLoop {
 public:
  // Owns one source; the source ends with it. Must die before the loop does.
  class Source {
   public:
    virtual ~Source() = default;
  };
  using SourcePtr = std::unique_ptr<Source>;

  static Result<std::unique_ptr<EventLoop>> Create();
  virtual ~EventLoop() = default;

  // callback(revents) whenever fd is readable (events: EPOLL* mask). fd is not owned.
  virtual Result<SourcePtr> AddIo(int fd, uint32_t events, std::function<void(uint32_t)> callback) = 0;
  // Like AddIo, but dispatched before every other source: the probes' ring buffer.
  virtual Result<SourcePtr> AddUrgentIo(int fd, uint32_t events, std::function<void(uint32_t)> callback) = 0;
  // Every `interval`, the first time after one; missed ticks are not made up for.
  virtual Result<SourcePtr> AddTimer(std::chrono::nanoseconds interval, std::function<void()> callback) = 0;
  // Blocks the signal in the calling thread and takes it as an event.
  virtual Result<SourcePtr> AddSignal(int signal, std::function<void()> callback) = 0;
  // Runs fn on the loop's thread, soon. Thread-safe; fn is dropped if the loop has ended.
  virtual void Post(std::function<void()> fn) = 0;
  // Once, `delay` from now or a little later, on the loop's thread. Call from the loop's thread.
  virtual void After(std::chrono::nanoseconds delay, std::function<void()> fn) = 0;

  // Answers systemd's watchdog, if it asked for it (WATCHDOG_USEC).
  virtual void EnableWatchdog() = 0;
  virtual Result<> Run() = 0;  // until Stop()
  virtual void Stop() = 0;     // thread-safe
};

}  // namespace ffdc
