// SPDX-License-Identifier: Apache-2.0
// history_1hz: the node's counters, once a second, of the last hour.
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>

#include "base/clock.h"
#include "base/json_line.h"
#include "capture/collect_util.h"
#include "capture/collector.h"
#include "capture/history_decoder.h"

namespace ffdc {
namespace {

constexpr std::string_view kNote =
    "one sample a line, oldest first; the first has every value, each later one only those that changed "
    "since the "
    "line before it (null: the value is no longer there); counters are cumulative, as the kernel gives them";

HistoryDecoder& Decoder() {
  static HistoryDecoder decoder;
  return decoder;
}

// The frozen history, mapped: it may be much larger than what a worker should hold.
class Mapping {
 public:
  static Result<Mapping> Of(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return FailErrno("cannot stat the frozen 1 Hz history");
    const auto size = static_cast<size_t>(info.st_size);
    if (size == 0) return Mapping(nullptr, 0);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return FailErrno("cannot map the frozen 1 Hz history");
    return Mapping(data, size);
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  Mapping(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

// Calls visit(name, value, old) for what is in `now` and differs from `before`
// (visit with nullptr for what is only in `before`). Both are sorted by name.
template <class Visit>
void ForEachChange(const HistoryValues& before, const HistoryValues& now, const Visit& visit) {
  auto old = before.begin();
  for (const auto& [name, value] : now) {
    while (old != before.end() && old->first < name) visit((old++)->first, nullptr);
    if (old != before.end() && old->first == name) {
      if (old->second != value) visit(name, &value);
      ++old;
    } else {
      visit(name, &value);
    }
  }
  while (old != before.end()) visit((old++)->first, nullptr);
}

// What a line can take at most: enough to decide which samples fit.
struct SampleSize {
  uint64_t full_bytes = 0;
  uint64_t change_bytes = 0;
};
constexpr uint64_t kLineBytes = 120;  // times and punctuation
uint64_t ValueBytes(const std::string& name) { return name.size() + 26; }

class Measure {
 public:
  void Add(const HistoryValues& values) {
    SampleSize size{kLineBytes, kLineBytes};
    for (const auto& [name, value] : values) size.full_bytes += ValueBytes(name);
    ForEachChange(last_, values,
                  [&](const std::string& name, const int64_t*) { size.change_bytes += ValueBytes(name); });
    sizes_.push_back(size);
    last_ = values;
  }
  // The first sample to write, so that it and the later ones fit into max_bytes.
  [[nodiscard]] size_t First(uint64_t max_bytes) const {
    uint64_t changes = 0;
    size_t first = sizes_.size();
    while (first > 0 && sizes_[first - 1].full_bytes + changes <= max_bytes) {
      changes += sizes_[--first].change_bytes;
    }
    return first;
  }
  [[nodiscard]] size_t samples() const { return sizes_.size(); }

 private:
  std::vector<SampleSize> sizes_;
  HistoryValues last_;
};

class SampleWriter {
 public:
  explicit SampleWriter(CaptureFile& file) : file_(file) {}
  bool Header() {
    line_.Begin();
    line_.Field("format", "ffdc-history-1");
    line_.Field("note", kNote);
    return file_.Write(line_.End());
  }
  bool Sample(uint64_t mono_ns, int64_t wall_ns, const HistoryValues& values) {
    line_.Begin();
    line_.Field("time_ns", mono_ns);
    line_.Field("wall", FormatWallNs(wall_ns));
    line_.BeginObject("values");
    ForEachChange(last_, values, [&](const std::string& name, const int64_t* value) {
      if (value != nullptr) {
        line_.Field(name, *value);
      } else {
        line_.NullField(name);
      }
    });
    line_.EndObject();
    last_ = values;
    return file_.Write(line_.End());
  }

 private:
  CaptureFile& file_;
  JsonLine line_;
  HistoryValues last_;
};

Result<> CollectorHistory1hz(CollectContext& context) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("history.jsonl"));
  SampleWriter writer(*file);
  writer.Header();
  if (context.fds().empty() || !Decoder()) {
    context.AddLoss("history_1hz.unavailable", 1, "the agent handed over no 1 Hz history");
    return {};
  }
  FFDC_ASSIGN(const Mapping history, Mapping::Of(context.fds()[0]));
  if (history.bytes().empty()) {
    AddNote(context, "history_1hz.empty", "no sample had been taken yet");
    return {};
  }

  // Twice: a line depends on the one before it, so what to leave out at the front must be known first.
  Measure measure;
  auto measured = Decoder()(history.bytes(),
                            [&](uint64_t, int64_t, const HistoryValues& values) { measure.Add(values); });
  const size_t first = measure.First(context.job().collector_max_bytes() - file->bytes());
  size_t index = 0;
  size_t written = 0;
  bool more = true;
  auto decoded =
      Decoder()(history.bytes(), [&](uint64_t mono_ns, int64_t wall_ns, const HistoryValues& values) {
        if (index++ < first || !more) return;
        more = writer.Sample(mono_ns, wall_ns, values);
        if (more) ++written;
      });
  if (written < measure.samples()) {
    context.AddLoss("history_1hz.cut", measure.samples() - written,
                    "older samples left out: the byte limit of a collector keeps the newest "
                    "(capture.collector_max_bytes)");
  }
  if (!decoded) return Unexpected(decoded.error().In("the frozen 1 Hz history cannot be read to its end"));
  return measured;
}
FFDC_REGISTER_COLLECTOR("history_1hz", std::chrono::seconds(5), CollectorHistory1hz);

}  // namespace

void SetHistoryDecoder(HistoryDecoder decoder) { Decoder() = std::move(decoder); }

}  // namespace ffdc
