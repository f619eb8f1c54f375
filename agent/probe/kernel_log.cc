// SPDX-License-Identifier: Apache-2.0
#include "probe/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/kmsg.h"
#include "base/result.h"

namespace ffdc {
namespace {

constexpr const char* kPath = "/dev/kmsg";
constexpr int kMaxMessagesAtOnce = 64;  // then the event loop's other sources get their turn

class Follower final : public KernelLogSource {
 public:
  Follower(Fd fd, const Clock& clock, Sink sink, std::string problem)
      : fd_(std::move(fd)), clock_(clock), sink_(std::move(sink)), problem_(std::move(problem)) {}

  [[nodiscard]] int poll_fd() const override { return fd_.get(); }

  // devkmsg_read() copies one record out of the ring; with O_NONBLOCK it waits for nothing.
  void Consume() override {
    for (int i = 0; i < kMaxMessagesAtOnce; ++i) {
      const ssize_t got = ::read(fd_.get(), buffer_.data(), buffer_.size());
      if (got > 0) {
        Take({buffer_.data(), static_cast<size_t>(got)});
      } else if (got < 0 && errno == EPIPE) {
        continue;  // overwritten before it was read; the next record's number says how many
      } else if (got == 0 || errno != EINTR) {
        caught_up_ = true;
        break;
      }
    }
  }

  [[nodiscard]] std::vector<v1::Probe> Status() const override {
    v1::Probe status;
    status.set_name("kernel_log");
    status.set_active(fd_.valid());
    status.set_reason(problem_);
    status.set_attached_to(kPath);
    status.set_records(records_);
    status.set_drops(drops_);
    return {status};
  }

 private:
  void Take(std::string_view bytes) {
    auto record = ParseKmsg(bytes);
    if (!record) {
      ++drops_;
      return;
    }
    if (next_sequence_ != 0 && record->sequence > next_sequence_) drops_ += record->sequence - next_sequence_;
    next_sequence_ = record->sequence + 1;
    ++records_;
    sink_({record->priority & 7, record->priority >> 3, MonotonicNs(record->time_us * 1000),
           std::move(record->text), std::move(record->properties)});
  }

  // The log's clock is not slewed by NTP, and may stand still in a suspend: after weeks it is
  // seconds off CLOCK_MONOTONIC. A record that comes after silence was written just now.
  uint64_t MonotonicNs(uint64_t log_ns) {
    const uint64_t now = clock_.MonotonicNs();
    if (std::exchange(caught_up_, false)) behind_ns_ = now - log_ns;
    return std::min(now, log_ns + behind_ns_);
  }

  const Fd fd_;
  const Clock& clock_;
  const Sink sink_;
  const std::string problem_;
  std::array<char, kMaxKmsgBytes> buffer_{};
  bool caught_up_ = true;
  uint64_t behind_ns_ = 0;  // what CLOCK_MONOTONIC is ahead of the log's clock; wraps where it is behind
  uint64_t next_sequence_ = 0;
  uint64_t records_ = 0;
  uint64_t drops_ = 0;
};

}  // namespace

std::unique_ptr<KernelLogSource> KernelLogSource::Start(Fd fd, const Clock& clock, Sink sink) {
  return std::make_unique<Follower>(std::move(fd), clock, std::move(sink), "");
}

std::unique_ptr<KernelLogSource> KernelLogSource::Start(Sink sink) {
  Fd fd(::open(kPath, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::string problem;
  if (!fd.valid() || ::lseek(fd.get(), 0, SEEK_END) < 0) {
    problem = FailErrno(std::string("cannot follow the kernel log ") + kPath + " (needs CAP_SYSLOG)")
                  .value()
                  .message;
    fd.reset();
  }
  return std::make_unique<Follower>(std::move(fd), SystemClock(), std::move(sink), std::move(problem));
}

}  // namespace ffdc
