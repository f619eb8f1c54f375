// SPDX-License-Identifier: Apache-2.0
// What all nodes saw of one incident, in one order of time: by the wall clock of the node where
// it failed, with the differences of the other nodes' clocks taken out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "ffdc/v1/incident.pb.h"
#include "ffdc/v1/manifest.pb.h"
#include "store/driver.h"

namespace ffdc {

class Timeline {
 public:
  // Of each node at most so many lines of its kernel log, the newest; and of all before the failure
  // only those of the last quarter of an hour.
  static constexpr size_t kMaxKernelLines = 20'000;
  static constexpr int64_t kKernelLogBeforeNs = 900'000'000'000;

  // First all manifests: they say how the clocks differ. Then the incident and the archives, in any order.
  void AddCapture(const v1::Manifest& manifest);
  void AddIncident(const v1::Incident& incident);
  // Of a node whose manifest is known: reads its archive up to the kernel log. What cannot be
  // read is noted in the timeline, not an error.
  void AddArchive(const std::string& node, ByteSource& archive);
  // Lines as capture/ writes them: "2026-01-31T10:00:00.123Z kern.err 12.345678 text".
  void AddKernelLog(const std::string& node, std::string_view text);

  // What is missing, for the head of the text.
  void Note(std::string note) { notes_.push_back(std::move(note)); }

  // One JSON object a line: time, time_wall_ns, node, source, text.
  [[nodiscard]] std::string Jsonl();
  // The same for a person, with a head that says whose clock it is, how sure, and what is missing.
  [[nodiscard]] std::string Text();

 private:
  struct Entry {
    int64_t wall_ns;  // of the origin's clock
    std::string node;
    std::string source;  // "event", "io", "kernel_log", "capture"
    std::string text;
  };
  struct Node {
    v1::ClockOffset offset;
    bool offset_known = false;
    int64_t failure_wall_ns = 0;  // of its own clock; 0: not known
  };

  void Add(const std::string& node, int64_t node_wall_ns, const char* source, const std::string& text);
  void AddIo(const std::string& node, const v1::FailedIo& io);
  void AddEvent(const v1::Event& event);
  void Sort();

  std::string origin_;
  std::map<std::string, Node> nodes_;
  std::vector<Entry> entries_;
  std::map<std::tuple<std::string, uint64_t, uint64_t>, size_t>
      ios_;  // node, time, sector: index in entries_
  std::vector<std::string> notes_;
};

// The text of a file in a capture's archive, at most max_bytes of it. Code ENOENT: it is not there.
Result<std::string> ReadFromArchive(ByteSource& archive, std::string_view name, size_t max_bytes);

}  // namespace ffdc
