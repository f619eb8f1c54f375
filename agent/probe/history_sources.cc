// SPDX-License-Identifier: Apache-2.0
#include "probe/history_sources.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/text.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxProcBytes = 8u << 20;
constexpr size_t kProcBufferBytes = 32u << 10;
// A host with thousands of disks or container interfaces keeps its hour of history.
constexpr size_t kMaxDisksSampled = 1024;
constexpr size_t kMaxInterfacesSampled = 256;

constexpr std::array<std::string_view, 17> kDiskColumns = {
    "read_ios",       "read_merges",     "read_sectors", "read_ms",   "write_ios",   "write_merges",
    "write_sectors",  "write_ms",        "in_flight",    "io_ms",     "weighted_ms", "discard_ios",
    "discard_merges", "discard_sectors", "discard_ms",   "flush_ios", "flush_ms"};
// As /proc/net/dev orders them; an empty name is left out (compressed, multicast).
constexpr std::array<std::string_view, 15> kInterfaceColumns = {
    "rx_bytes", "rx_packets", "rx_errs", "rx_drop", "rx_fifo", "rx_frame", "",          "",
    "tx_bytes", "tx_packets", "tx_errs", "tx_drop", "tx_fifo", "tx_colls", "tx_carrier"};
constexpr std::array<std::string_view, 5> kLoadColumns = {"1m_x100", "5m_x100", "15m_x100", "running",
                                                          "tasks"};

// Counters are unsigned 64 bits wide in the kernel; differences survive the cast.
std::optional<int64_t> ParseCounter(std::string_view word) {
  if (word.starts_with('-')) return ParseNumber<int64_t>(word);
  const auto value = ParseNumber<uint64_t>(word);
  return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
}

// At most values.size() numbers from the line's start; how many there were.
size_t ParseNumbers(std::string_view line, std::span<int64_t> values) {
  size_t count = 0;
  while (count < values.size()) {
    const auto number = ParseCounter(NextWord(line));
    if (!number) break;
    values[count++] = *number;
  }
  return count;
}

std::string Join(std::string_view a, std::string_view b, std::string_view c = {}, std::string_view d = {}) {
  std::string joined;
  joined.reserve(a.size() + b.size() + c.size() + d.size());
  return joined.append(a).append(b).append(c).append(d);
}

template <const auto& kColumns>
void NameColumns(std::string_view prefix, std::string_view key, size_t count,
                 std::vector<std::string>& names) {
  for (size_t i = 0, named = 0; named < count; ++i) {
    if (kColumns[i].empty()) continue;
    names.push_back(key.empty() ? Join(prefix, kColumns[i]) : Join(prefix, key, ".", kColumns[i]));
    ++named;
  }
}

void NamePlain(std::string_view prefix, std::string_view key, size_t, std::vector<std::string>& names) {
  names.push_back(Join(prefix, key));
}

void NameKilobytes(std::string_view prefix, std::string_view key, size_t, std::vector<std::string>& names) {
  names.push_back(Join(prefix, key, "_kb"));
}

void NameTotal(std::string_view prefix, std::string_view key, size_t, std::vector<std::string>& names) {
  names.push_back(Join(prefix, key, "_total_us"));
}

// key: the words of a header line.
void NameHeader(std::string_view prefix, std::string_view key, size_t count,
                std::vector<std::string>& names) {
  for (size_t i = 0; i < count; ++i) names.push_back(Join(prefix, NextWord(key)));
}

//    8       0 sda 33172 9316 3327706 ...
void ParseDisks(std::string_view text, HistoryRows& rows) {
  constexpr std::string_view kRamMajor = "1";
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const std::string_view major = NextWord(line);
    NextWord(line);
    const std::string_view name = NextWord(line);
    std::array<int64_t, kDiskColumns.size()> values{};
    const size_t count = ParseNumbers(line, values);
    if (major == kRamMajor || count == 0) continue;
    // Never used: most loop and nbd devices, and it says nothing yet.
    if (std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 0; })) continue;
    if (rows.rows() == kMaxDisksSampled) {
      rows.LeaveOut();
    } else {
      rows.Row(name, std::span(values).first(count), NameColumns<kDiskColumns>);
    }
  }
}

// some avg10=0.00 avg60=0.00 avg300=0.00 total=1234
void ParsePressure(std::string_view text, HistoryRows& rows) {
  constexpr std::string_view kTotal = "total=";
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const std::string_view key = NextWord(line);
    const size_t at = line.find(kTotal);
    if (at == std::string_view::npos) continue;
    if (const auto total = ParseCounter(line.substr(at + kTotal.size())))
      rows.Row(key, std::span(&*total, 1), NameTotal);
  }
}

// nr_free_pages 6114471
void ParseVmstat(std::string_view text, HistoryRows& rows) {
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const std::string_view key = NextWord(line);
    if (const auto value = ParseCounter(NextWord(line))) rows.Row(key, std::span(&*value, 1), NamePlain);
  }
}

// MemFree:        24497620 kB
void ParseMeminfo(std::string_view text, HistoryRows& rows) {
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    std::string_view key = NextWord(line);
    const auto value = ParseCounter(NextWord(line));
    if (!value || !key.ends_with(':')) continue;
    key.remove_suffix(1);
    rows.Row(key, std::span(&*value, 1), NextWord(line) == "kB" ? NameKilobytes : NamePlain);
  }
}

// A line of names, then one of their values, both starting with the protocol.
void ParseProtocol(std::string_view protocol, std::string_view text, HistoryRows& rows) {
  constexpr size_t kMaxColumns = 512;
  std::string_view header;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (NextWord(line) != protocol) continue;
    if (header.empty()) {
      header = line;
      continue;
    }
    std::array<int64_t, kMaxColumns> values;
    const size_t count = ParseNumbers(line, values);
    size_t names = 0;
    for (std::string_view rest = header; !NextWord(rest).empty();) ++names;
    if (count == names) rows.Row(header, std::span(values).first(count), NameHeader);
    return;
  }
}

void ParseTcp(std::string_view text, HistoryRows& rows) { ParseProtocol("Tcp:", text, rows); }
void ParseTcpExt(std::string_view text, HistoryRows& rows) { ParseProtocol("TcpExt:", text, rows); }

//   eth0: 1234 5 0 0 0 0 0 0 678 9 0 0 0 0 0 0
void ParseInterfaces(std::string_view text, HistoryRows& rows) {
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;  // the two lines of its title
    std::string_view before = line.substr(0, colon);
    const std::string_view name = NextWord(before);
    std::array<int64_t, kInterfaceColumns.size()> columns;
    if (ParseNumbers(line.substr(colon + 1), columns) != columns.size()) continue;
    if (rows.rows() == kMaxInterfacesSampled) {
      rows.LeaveOut();
      continue;
    }
    std::array<int64_t, kInterfaceColumns.size()> values;
    size_t count = 0;
    for (size_t i = 0; i < columns.size(); ++i)
      if (!kInterfaceColumns[i].empty()) values[count++] = columns[i];
    rows.Row(name, std::span(values).first(count), NameColumns<kInterfaceColumns>);
  }
}

// 0.20 0.18 0.12 1/80 11206
void ParseLoad(std::string_view text, HistoryRows& rows) {
  std::string digits;  // the loads as hundredths, "1/80" as two numbers
  for (const char c : NextLine(text))
    if (c != '.') digits += c == '/' ? ' ' : c;
  std::array<int64_t, kLoadColumns.size()> values;
  if (ParseNumbers(digits, values) == values.size()) rows.Row("", values, NameColumns<kLoadColumns>);
}

}  // namespace

void HistoryRows::Begin() {
  row_ = 0;
  changed_ = false;
  left_out_ = 0;
  values_.clear();
}

void HistoryRows::Row(std::string_view key, std::span<const int64_t> values, Namer namer) {
  if (row_ == shapes_.size()) {
    shapes_.emplace_back();
    changed_ = true;
  }
  Shape& shape = shapes_[row_++];
  if (shape.key != key || shape.count != values.size() || shape.namer != namer) {
    shape = {std::string(key), values.size(), namer};
    changed_ = true;
  }
  values_.insert(values_.end(), values.begin(), values.end());
}

bool HistoryRows::End() {
  if (row_ < shapes_.size()) changed_ = true;
  if (!changed_) return false;
  shapes_.resize(row_);
  names_.clear();
  for (const Shape& shape : shapes_) shape.namer(prefix_, shape.key, shape.count, names_);
  return true;
}

bool HistorySource::Read(std::string& buffer) {
  if (buffer.size() < kProcBufferBytes) buffer.resize(kProcBufferBytes);
  size_t size = 0;
  while (size < kMaxProcBytes) {
    if (size == buffer.size()) buffer.resize(size * 2);
    const ssize_t got =
        pread(file_.get(), buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  rows_.Begin();
  parse_(std::string_view(buffer).substr(0, size), rows_);
  return rows_.End();
}

std::vector<HistorySource> OpenHistorySources(const fs::path& procfs) {
  struct File {
    const char* path;
    std::string_view prefix;
    HistorySource::Parser parse;
  };
  constexpr std::array<File, 10> kFiles = {{{"diskstats", "disk.", ParseDisks},
                                            {"pressure/cpu", "psi.cpu.", ParsePressure},
                                            {"pressure/io", "psi.io.", ParsePressure},
                                            {"pressure/memory", "psi.memory.", ParsePressure},
                                            {"vmstat", "vm.", ParseVmstat},
                                            {"meminfo", "mem.", ParseMeminfo},
                                            {"net/snmp", "tcp.", ParseTcp},
                                            {"net/netstat", "tcpext.", ParseTcpExt},
                                            {"net/dev", "net.", ParseInterfaces},
                                            {"loadavg", "load.", ParseLoad}}};
  std::vector<HistorySource> sources;
  for (const File& file : kFiles) {
    Fd fd(open((procfs / file.path).c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.valid()) sources.emplace_back(std::move(fd), file.prefix, file.parse);
  }
  return sources;
}

}  // namespace ffdc
