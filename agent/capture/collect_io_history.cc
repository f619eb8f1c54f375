// SPDX-License-Identifier: Apache-2.0
// io_history: every I/O the flight recorder held when it was frozen.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/block_dev.h"
#include "base/block_words.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json_line.h"
#include "base/utf8.h"
#include "capture/collector.h"
#include "capture/io_history.h"

namespace ffdc {
namespace {

constexpr size_t kLastIos = 16;
// No line of io-history.jsonl is shorter or longer; only to spare the exact count.
constexpr uint64_t kMinLineBytes = 128;
constexpr uint64_t kMaxLineBytes = 320;

bool Earlier(const ffdc_io_record& a, const ffdc_io_record& b) { return a.complete_ns < b.complete_ns; }

class NewestRecords {
 public:
  explicit NewestRecords(size_t max_records) : max_records_(max_records) {}
  void Add(const ffdc_io_record& record) {
    if (record.complete_ns == 0) return;  // a slot that was never written
    records_.push_back(record);
    if (records_.size() >= 2 * max_records_) Prune();
  }
  void MoveTo(IoHistory& history) {
    if (records_.size() > max_records_) Prune();
    std::stable_sort(records_.begin(), records_.end(), Earlier);
    history.records = std::move(records_);
    history.older = older_;
  }

 private:
  void Prune() {
    const auto later = [](const ffdc_io_record& a, const ffdc_io_record& b) { return Earlier(b, a); };
    const auto keep = static_cast<ptrdiff_t>(max_records_);
    std::nth_element(records_.begin(), records_.begin() + keep, records_.end(), later);
    older_ += records_.size() - max_records_;
    records_.resize(max_records_);
  }

  size_t max_records_;
  uint64_t older_ = 0;
  std::vector<ffdc_io_record> records_;
};

// Bytes left over at the segment's end.
Result<uint64_t> ReadSegment(int fd, NewestRecords& newest) {
  std::array<ffdc_io_record, 4096> chunk;
  constexpr size_t kRecordBytes = sizeof(ffdc_io_record);
  off_t offset = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, chunk.data(), sizeof(chunk), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("cannot read a segment of the I/O history");
    const size_t records = static_cast<size_t>(got) / kRecordBytes;
    for (size_t i = 0; i < records; ++i) newest.Add(chunk[i]);
    if (records == 0) return static_cast<uint64_t>(got);
    offset += static_cast<off_t>(records * kRecordBytes);
  }
}

class IoLines {
 public:
  IoLines(const ClockMoment& clock, DeviceNames& names) : clock_(clock), names_(names) {}

  // One line of io-history.jsonl; valid until the next call.
  std::string_view Format(const ffdc_io_record& record) {
    line_.Begin();
    line_.Field("time_ns", uint64_t{record.complete_ns});
    line_.Field("wall", Wall(clock_.WallNs(record.complete_ns)));
    line_.Field("device", names_.Name(record.dev));
    line_.Field("op", BlockOpName(FFDC_IO_OP(&record)));
    line_.Field("sector", uint64_t{FFDC_IO_SECTOR(&record)});
    line_.Field("len_bytes", record.len_bytes);
    if (record.latency_ns != 0) {
      line_.Field("latency_ns", uint64_t{record.latency_ns});
    } else {
      line_.NullField("latency_ns");
    }
    line_.Field("status", BlockStatusName(FFDC_IO_STATUS(&record)));
    return line_.End();
  }

 private:
  // The seconds are formatted once each: formatting every time whole costs more than all the rest.
  std::string_view Wall(int64_t wall_ns) {
    int64_t fraction_ns = wall_ns % kNsPerSecond;
    if (fraction_ns < 0) fraction_ns += kNsPerSecond;
    const int64_t second = (wall_ns - fraction_ns) / kNsPerSecond;
    if (second != wall_second_) {
      wall_text_ = FormatWallNs(wall_ns);
      wall_second_ = second;
    }
    // "...:00.123456789Z"
    char* digit = wall_text_.data() + wall_text_.size() - 2;
    for (int i = 0; i < 9; ++i, fraction_ns /= 10) *digit-- = static_cast<char>('0' + fraction_ns % 10);
    return wall_text_;
  }

  const ClockMoment& clock_;
  DeviceNames& names_;
  JsonLine line_;
  int64_t wall_second_ = INT64_MIN;
  std::string wall_text_;
};

// Index of the first record such that it and all after it take at most max_bytes.
size_t FirstThatFits(std::span<const ffdc_io_record> records, IoLines& lines, uint64_t max_bytes) {
  if (records.size() <= max_bytes / kMaxLineBytes) return 0;
  size_t first = records.size();
  uint64_t bytes = 0;
  while (first > 0) {
    bytes += lines.Format(records[first - 1]).size();
    if (bytes > max_bytes) break;
    --first;
  }
  return first;
}

// The last `count` I/Os of `dev` up to failure_ns (0: to the end).
std::vector<ffdc_io_record> LastIos(std::span<const ffdc_io_record> records, uint32_t dev,
                                    uint64_t failure_ns, size_t count) {
  std::vector<ffdc_io_record> last;
  for (auto record = records.rbegin(); record != records.rend() && last.size() < count; ++record) {
    if (record->dev != dev || (failure_ns != 0 && record->complete_ns > failure_ns)) continue;
    last.push_back(*record);
  }
  std::reverse(last.begin(), last.end());
  return last;
}

void FillFailedIo(const ffdc_io_record& record, const ClockMoment& clock, DeviceNames& names,
                  v1::FailedIo& io) {
  io.set_time_wall_ns(clock.WallNs(record.complete_ns));
  io.set_time_mono_ns(record.complete_ns);
  io.set_op(BlockOpName(FFDC_IO_OP(&record)));
  io.set_sector(FFDC_IO_SECTOR(&record));
  io.set_len_bytes(record.len_bytes);
  io.set_latency_ns(record.latency_ns);
  io.set_status(BlockStatusName(FFDC_IO_STATUS(&record)));
  io.set_device(Utf8Text(names.Name(record.dev)));
}

void ReportLosses(CollectContext& context, const IoHistory& history, uint64_t cut) {
  if (cut > 0) {
    context.AddLoss("io_history.cut", cut,
                    "older I/Os left out: the byte limit of a collector keeps the newest "
                    "(capture.collector_max_bytes)");
  }
  if (history.broken_bytes > 0) {
    context.AddLoss("io_history.broken", history.broken_bytes,
                    "bytes at the end of a history segment are no whole record");
  }
  for (const std::string& message : history.unreadable) {
    context.AddLoss("io_history.unreadable", 1, message);
  }
}

Result<> CollectorIoHistory(CollectContext& context) { return CollectIoHistory(context, {}); }
FFDC_REGISTER_COLLECTOR("io_history", std::chrono::seconds(5), CollectorIoHistory);

}  // namespace

IoHistory ReadIoHistory(std::span<const int> segments, size_t max_records) {
  IoHistory history;
  NewestRecords newest(max_records);
  for (const int fd : segments) {
    auto left = ReadSegment(fd, newest);
    if (left) {
      history.broken_bytes += *left;
    } else {
      history.unreadable.push_back(left.error().message);
    }
  }
  newest.MoveTo(history);
  return history;
}

const std::string& DeviceNames::Name(uint32_t dev) {
  auto [place, fresh] = names_.try_emplace(dev);
  if (fresh) {
    const std::string number = FormatDev(dev);
    place->second = LinkName(sys_ / "dev/block" / number);
    if (place->second.empty()) place->second = number;
  }
  return place->second;
}

Result<> CollectIoHistory(CollectContext& context, const KernelRoots& roots) {
  const v1::CaptureJob& job = context.job();
  FFDC_ASSIGN(CaptureFile * file, context.Create("io-history.jsonl"));
  if (context.fds().empty()) {
    context.AddLoss(
        "io_history.unavailable", 1,
        "the agent handed over no I/O history: its probe block_io is not active (ffdcctl probe list)");
    return {};
  }

  const auto max_records = static_cast<size_t>(job.collector_max_bytes() / kMinLineBytes + 1);
  const IoHistory history = ReadIoHistory(context.fds(), max_records);
  const ClockMoment clock = JobClock(job);
  DeviceNames names(roots.sys);
  // A device that is gone by now still has the name it had at the failure.
  if (job.subject_dev() != 0 && !job.subject_name().empty()) names.Set(job.subject_dev(), job.subject_name());

  for (const auto& record :
       LastIos(history.records, job.subject_dev(), job.manifest().failure_mono_ns(), kLastIos)) {
    FillFailedIo(record, clock, names, *context.status().add_last_ios());
  }
  IoLines lines(clock, names);
  size_t next = FirstThatFits(history.records, lines, job.collector_max_bytes());
  uint64_t cut = history.older + next;
  while (next < history.records.size() && file->Write(lines.Format(history.records[next]))) ++next;
  cut += history.records.size() - next;
  ReportLosses(context, history, cut);
  if (history.unreadable.size() == context.fds().size()) return Fail(history.unreadable.front());
  return {};
}

}  // namespace ffdc
