// SPDX-License-Identifier: Apache-2.0
#include "capture/kmsg.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

namespace ffdc {
namespace {

// A log that grows faster than it is read must not keep the collector, which
// may read it twice, till its deadline.
constexpr uint64_t kMaxReadNs = 1'500'000'000;

std::string PriorityName(uint32_t priority) {
  // RFC 5424, 6.2.1, by syslog's names.
  constexpr std::array<const char*, 8> kLevels{"emerg",   "alert",  "crit", "err",
                                               "warning", "notice", "info", "debug"};
  constexpr std::array<const char*, 12> kFacilities{"kern", "user", "mail", "daemon", "auth",     "syslog",
                                                    "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};
  const uint32_t facility = priority >> 3;
  const std::string name =
      facility < kFacilities.size() ? kFacilities[facility] : "facility" + std::to_string(facility);
  return name + "." + kLevels[priority & 7];
}

class Reader {
 public:
  explicit Reader(const std::function<bool(const KmsgRecord&)>& sink) : sink_(sink) {}

  // False: the sink has enough.
  bool Take(std::string_view bytes) {
    const auto record = ParseKmsg(bytes);
    if (!record) {
      ++end_.malformed;
      return true;
    }
    if (lost_some_ && record->sequence > next_sequence_) {
      end_.overwritten += record->sequence - next_sequence_;
    }
    lost_some_ = false;
    next_sequence_ = record->sequence + 1;
    ++end_.records;
    return sink_(*record);
  }
  void LostSome() { lost_some_ = end_.records > 0; }
  KmsgEnd& end() { return end_; }

 private:
  const std::function<bool(const KmsgRecord&)>& sink_;
  KmsgEnd end_;
  uint64_t next_sequence_ = 0;
  bool lost_some_ = false;
};

}  // namespace

std::string FormatKmsg(const KmsgRecord& record, const ClockMoment& clock) {
  std::string wall = FormatWallNs(clock.WallNs(record.time_us * 1000));
  wall.erase(wall.size() - 7, 6);  // nanoseconds to milliseconds
  std::array<char, 32> seconds{};
  snprintf(seconds.data(), seconds.size(), "%llu.%06llu",
           static_cast<unsigned long long>(record.time_us / 1'000'000),
           static_cast<unsigned long long>(record.time_us % 1'000'000));
  std::string line = wall + " " + PriorityName(record.priority) + " " + seconds.data() + " " + record.text;
  if (!record.properties.empty()) line += " [" + record.properties + "]";
  line += '\n';
  return line;
}

Result<KmsgEnd> ReadKmsg(int fd, const std::function<bool(const KmsgRecord&)>& sink) {
  Reader reader(sink);
  std::string buffer(kMaxKmsgBytes, '\0');
  const uint64_t begun_ns = SystemClock().MonotonicNs();
  while (SystemClock().MonotonicNs() - begun_ns < kMaxReadNs) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) {
      if (!reader.Take(std::string_view(buffer).substr(0, static_cast<size_t>(got)))) break;
    } else if (got == 0 || errno == EAGAIN) {
      reader.end().reached_now = true;
      break;
    } else if (errno == EPIPE) {
      reader.LostSome();  // and the position is now the oldest record that is left
    } else if (errno != EINTR) {
      return FailErrno("cannot read the kernel log");
    }
  }
  return reader.end();
}

}  // namespace ffdc
