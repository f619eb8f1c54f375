// SPDX-License-Identifier: Apache-2.0
#include "store/timeline.h"

#include <archive.h>
#include <archive_entry.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <tuple>

#include "base/clock.h"
#include "base/freed.h"
#include "base/json_line.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ffdc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxKernelLogBytes = 64u << 20;

struct Reading {
  ByteSource& source;
  std::array<char, 64u << 10> chunk;
  std::string error;
};

la_ssize_t ReadChunk(struct archive* archive, void* context, const void** data) {
  auto& reading = *static_cast<Reading*>(context);
  const Result<size_t> got = reading.source.Read(reading.chunk.data(), reading.chunk.size());
  if (!got) {
    reading.error = got.error().message;
    archive_set_error(archive, EIO, "%s", reading.error.c_str());
    return -1;
  }
  *data = reading.chunk.data();
  return static_cast<la_ssize_t>(*got);
}

Unexpected Failed(struct archive* archive) {
  const char* text = archive_error_string(archive);
  return Fail(text != nullptr ? text : "it cannot be read", EBADMSG);
}

Result<std::string> ReadEntry(struct archive* archive, size_t max_bytes) {
  std::string text;
  std::array<char, 64u << 10> chunk;
  while (text.size() < max_bytes) {
    const la_ssize_t got =
        archive_read_data(archive, chunk.data(), std::min(chunk.size(), max_bytes - text.size()));
    if (got < 0) return Failed(archive);
    if (got == 0) break;
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  return text;
}

std::string IoText(const v1::FailedIo& io) {
  std::string text = io.device() + ": " + io.op() + " of " + std::to_string(io.len_bytes()) +
                     " bytes at sector " + std::to_string(io.sector()) + ": " + io.status();
  if (io.latency_ns() != 0) text += " after " + std::to_string(io.latency_ns() / 1000) + " us";
  if (!io.detail().empty()) text += " (" + io.detail() + ")";
  if (!io.client().name().empty()) text += ", of " + io.client().name();
  return text;
}

// Times in a manifest may be anything: what is too large wraps round.
int64_t Plus(int64_t a, uint64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + b); }
int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

uint64_t Apart(int64_t ns) { return ns < 0 ? -static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns); }

std::string Milliseconds(uint64_t ns) {
  return std::to_string(ns / 1'000'000) + "." + std::to_string(ns / 100'000 % 10) + " ms";
}

}  // namespace

Result<std::string> ReadFromArchive(ByteSource& archive, std::string_view name, size_t max_bytes) {
  const std::unique_ptr<struct archive, Freed<archive_read_free>> reader(archive_read_new());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_tar(reader.get());
  Reading reading{archive, {}, {}};
  if (archive_read_open(reader.get(), &reading, nullptr, ReadChunk, nullptr) != ARCHIVE_OK)
    return Failed(reader.get());
  struct archive_entry* entry = nullptr;
  int code;
  while ((code = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    const char* path = archive_entry_pathname(entry);
    if (path != nullptr && path == name) return ReadEntry(reader.get(), max_bytes);
  }
  if (code != ARCHIVE_EOF) return Failed(reader.get());
  return Fail("it holds no " + std::string(name), ENOENT);
}

void Timeline::Add(const std::string& node, int64_t node_wall_ns, const char* source,
                   const std::string& text) {
  const auto known = nodes_.find(node);
  const int64_t offset_ns = known == nodes_.end() ? 0 : known->second.offset.offset_ns();
  entries_.push_back({Minus(node_wall_ns, offset_ns), PlainText(node), source, PlainText(text)});
}

void Timeline::AddIo(const std::string& node, const v1::FailedIo& io) {
  // An event's evidence and a manifest's last I/Os overlap; the former tells whose it was.
  const auto [known, fresh] = ios_.try_emplace({node, io.time_mono_ns(), io.sector()}, entries_.size());
  if (fresh) return Add(node, io.time_wall_ns(), "io", IoText(io));
  if (!io.client().name().empty()) entries_[known->second].text = PlainText(IoText(io));
}

void Timeline::AddCapture(const v1::Manifest& manifest) {
  const std::string& node = manifest.node();
  if (manifest.origin_node().empty() || manifest.origin_node() == node) origin_ = node;
  Node& known = nodes_[node];
  known.offset = manifest.clock_offset();
  known.offset_known = manifest.has_clock_offset();
  const v1::ClockReading& clock = manifest.clock();
  const auto wall_ns = [&clock](uint64_t mono_ns) {
    return Plus(clock.realtime_ns(), mono_ns - clock.monotonic_ns());
  };
  if (manifest.failure_mono_ns() != 0) known.failure_wall_ns = wall_ns(manifest.failure_mono_ns());
  if (manifest.frozen_mono_ns() != 0)
    Add(node, wall_ns(manifest.frozen_mono_ns()), "capture", "history frozen");
  if (manifest.has_sealed_at()) {
    Add(node, TimeUtil::TimestampToNanoseconds(manifest.sealed_at()), "capture",
        "capture sealed: " + std::to_string(manifest.files_size()) + " files, " +
            std::to_string(manifest.archive_bytes()) + " bytes");
  }
  for (const v1::FailedIo& io : manifest.last_ios()) AddIo(node, io);
}

void Timeline::AddEvent(const v1::Event& event) {
  const int64_t first_ns = TimeUtil::TimestampToNanoseconds(event.first_at());
  Add(event.node(), first_ns, "event", event.kind() + ": " + event.summary());
  if (event.detected_mono_ns() > event.first_mono_ns()) {
    const uint64_t after_ns = event.detected_mono_ns() - event.first_mono_ns();
    Add(event.node(), Plus(first_ns, after_ns), "event",
        event.kind() + ": noticed, " + Milliseconds(after_ns) + " after the kernel knew");
  }
  if (event.duration_ns() != 0) {
    Add(event.node(), TimeUtil::TimestampToNanoseconds(event.last_at()), "event",
        event.kind() + ": last sign of it, " + Milliseconds(event.duration_ns()) + " after the first");
  }
  for (const v1::FailedIo& io : event.evidence()) AddIo(event.node(), io);
}

void Timeline::AddIncident(const v1::Incident& incident) {
  if (!incident.origin_node().empty()) origin_ = incident.origin_node();
  for (const v1::Event& event : incident.events()) AddEvent(event);
  for (const std::string& missing : incident.completeness().missing()) {
    // The description may be older than the capture.
    if (!nodes_.contains(missing.substr(0, missing.find(": ")))) Note("no capture of " + missing);
  }
}

void Timeline::AddArchive(const std::string& node, ByteSource& archive) {
  const auto text = ReadFromArchive(archive, "kernel.log", kMaxKernelLogBytes);
  if (!text) {
    Note("no kernel log of " + node + ": its archive: " + text.error().message);
    return;
  }
  AddKernelLog(node, *text);
}

void Timeline::AddKernelLog(const std::string& node, std::string_view text) {
  const int64_t failure_ns = nodes_[node].failure_wall_ns;
  std::deque<std::pair<int64_t, std::string_view>> kept;
  size_t cut = 0;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (line.empty() || line.front() == '#') continue;
    google::protobuf::Timestamp time;
    if (!TimeUtil::FromString(std::string(NextWord(line)), &time)) continue;
    const int64_t wall_ns = TimeUtil::TimestampToNanoseconds(time);
    if (failure_ns != 0 && wall_ns < Minus(failure_ns, kKernelLogBeforeNs)) continue;
    kept.emplace_back(wall_ns, Trim(line));
    if (kept.size() <= kMaxKernelLines) continue;
    kept.pop_front();
    ++cut;
  }
  for (const auto& [wall_ns, line] : kept) Add(node, wall_ns, "kernel_log", std::string(line));
  if (cut != 0) Note(std::to_string(cut) + " older lines of the kernel log of " + node + " are left out");
}

void Timeline::Sort() {
  const auto key = [](const Entry& entry) {
    return std::tie(entry.wall_ns, entry.node, entry.source, entry.text);
  };
  std::sort(entries_.begin(), entries_.end(),
            [&key](const Entry& a, const Entry& b) { return key(a) < key(b); });
}

std::string Timeline::Jsonl() {
  Sort();
  std::string lines;
  JsonLine line;
  for (const Entry& entry : entries_) {
    line.Begin();
    line.Field("time", FormatWallNs(entry.wall_ns));
    line.Field("time_wall_ns", entry.wall_ns);
    line.Field("node", entry.node);
    line.Field("source", entry.source);
    line.Field("text", entry.text);
    lines += line.End();
  }
  return lines;
}

std::string Timeline::Text() {
  Sort();
  std::string text = "# Times are of the wall clock of " +
                     (origin_.empty() ? "the origin, which is not known" : PlainText(origin_)) +
                     ", where it failed.\n";
  for (const auto& [name, node] : nodes_) {
    if (name == origin_) continue;
    text += "# " + PlainText(name) + ": ";
    text += node.offset_known
                ? "its clock was " + Milliseconds(Apart(node.offset.offset_ns())) +
                      (node.offset.offset_ns() < 0 ? " behind" : " ahead") +
                      ", which is taken out; give or take " + Milliseconds(node.offset.uncertainty_ns())
                : std::string("how its clock differed is not known: taken for equal");
    text += "\n";
  }
  for (const std::string& note : notes_) text += "# " + PlainText(note) + "\n";
  size_t width = 0;
  for (const Entry& entry : entries_) width = std::max(width, entry.node.size());
  for (const Entry& entry : entries_) {
    std::string source = entry.source;
    source.resize(std::max<size_t>(source.size(), 10), ' ');
    std::string node = entry.node;
    node.resize(width, ' ');
    text.append(FormatWallNs(entry.wall_ns))
        .append("  ")
        .append(node)
        .append("  ")
        .append(source)
        .append("  ");
    text.append(entry.text).append("\n");
  }
  return text;
}

}  // namespace ffdc
