// SPDX-License-Identifier: Apache-2.0
#include "capture/kmsg.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"
#include "capture/text.h"

namespace ffdc {
namespace {

// The kernel formats a record into at most PRINTK_MESSAGE_MAX (8 KiB before 6.x: CONSOLE_EXT_LOG_MAX).
constexpr size_t kMaxRecordBytes = 32u << 10;
// A log that grows faster than it is read must not keep the collector, which
// may read it twice, till its deadline.
constexpr uint64_t kMaxReadNs = 1'500'000'000;

// A newline inside a record starts a line with an indent that no record starts with.
std::string Printable(std::string_view escaped) {
  // The kernel escapes bytes outside printable ASCII, and the backslash.
  const std::string bytes = UndoHexEscapes(escaped);
  std::string_view rest = bytes;
  std::string text = PlainText(NextLine(rest));
  while (!rest.empty()) text += "\n    " + PlainText(NextLine(rest));
  return text;
}

void AddProperty(std::string& properties, std::string_view property) {
  if (property.empty()) return;
  if (!properties.empty()) properties += ' ';
  properties += Printable(property);
}

// "6,339,5140900,-,caller=T1": what may follow the flag is "key=value".
bool ParsePrefix(std::string_view prefix, KmsgRecord& record) {
  std::array<std::string_view, 4> fields;
  for (std::string_view& field : fields) {
    const size_t comma = prefix.find(',');
    field = prefix.substr(0, comma);
    prefix.remove_prefix(comma == std::string_view::npos ? prefix.size() : comma + 1);
  }
  const auto priority = ParseNumber<uint32_t>(fields[0]);
  const auto sequence = ParseNumber<uint64_t>(fields[1]);
  const auto time_us = ParseNumber<uint64_t>(fields[2]);
  if (!priority || !sequence || !time_us || fields[3].empty()) return false;
  if (*time_us > UINT64_MAX / 1000) return false;
  record.priority = *priority;
  record.sequence = *sequence;
  record.time_us = *time_us;
  while (!prefix.empty()) {
    const size_t comma = prefix.find(',');
    const std::string_view extra = prefix.substr(0, comma);
    if (extra.find('=') != std::string_view::npos) AddProperty(record.properties, extra);
    prefix.remove_prefix(comma == std::string_view::npos ? prefix.size() : comma + 1);
  }
  return true;
}

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

std::optional<KmsgRecord> ParseKmsg(std::string_view bytes) {
  const size_t semicolon = bytes.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  KmsgRecord record;
  if (!ParsePrefix(bytes.substr(0, semicolon), record)) return std::nullopt;
  bytes.remove_prefix(semicolon + 1);
  size_t newline = bytes.find('\n');
  record.text = Printable(bytes.substr(0, newline));
  // Continuation lines, each after a blank: the dictionary, "KEY=value".
  while (newline != std::string_view::npos) {
    bytes.remove_prefix(newline + 1);
    newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline);
    if (!line.empty() && line.front() == ' ') AddProperty(record.properties, line.substr(1));
  }
  return record;
}

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
  std::string buffer(kMaxRecordBytes, '\0');
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
