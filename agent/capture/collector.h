// SPDX-License-Identifier: Apache-2.0
// One source of capture data. A collector is one file in agent/capture/ that
// registers itself; it runs in a worker process with a deadline, so it may touch
// what hangs. See docs/extending.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// A file of the capture. What does not fit into the byte budget is dropped at a
// line boundary and the file is marked truncated; data without a single line end
// is cut where the budget ends.
class CaptureFile {
 public:
  // *budget_bytes is what all files of one collector may still write; it outlives the file.
  CaptureFile(Fd fd, std::string name, uint64_t* budget_bytes)
      : fd_(std::move(fd)), name_(std::move(name)), budget_bytes_(budget_bytes) {}
  // Appends; returns false once the budget is spent (stop producing). Buffered.
  bool Write(std::string_view data);
  // Empties the buffer. Call before touching what may hang: a killed worker's
  // capture keeps what was flushed.
  void Flush();
  Result<> Close();
  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  void FlushFront(size_t size);
  void CutAtLine();

  Fd fd_;
  std::string name_;
  std::string buffer_;
  uint64_t* budget_bytes_;
  uint64_t bytes_ = 0;     // accepted: in the file or in the buffer
  uint64_t line_end_ = 0;  // of these, up to the last complete line
  bool truncated_ = false;
  int write_error_ = 0;
};

class CollectContext {
 public:
  CollectContext(const v1::CaptureJob& job, std::string collector, std::span<const int> fds);
  CollectContext(const CollectContext&) = delete;
  CollectContext& operator=(const CollectContext&) = delete;
  [[nodiscard]] const v1::CaptureJob& job() const { return job_; }
  [[nodiscard]] std::span<const int> fds() const { return fds_; }  // what the agent handed over
  // A new file in the capture; closed and listed when the collector returns. All files of one
  // collector share job().collector_max_bytes.
  Result<CaptureFile*> Create(std::string_view name);
  void AddLoss(std::string what, uint64_t count, std::string detail);
  v1::CollectorStatus& status() { return status_; }
  // Closes the files and fills status() with them.
  Result<> Finish();

 private:
  const v1::CaptureJob& job_;
  std::string collector_;
  std::span<const int> fds_;
  uint64_t budget_bytes_;
  std::vector<std::unique_ptr<CaptureFile>> files_;
  v1::CollectorStatus status_;
};

struct CollectorInfo {
  std::string name;  // "kernel_log"
  std::chrono::milliseconds deadline;
  Result<> (*collect)(CollectContext&);
};

bool RegisterCollector(CollectorInfo info);
const std::vector<CollectorInfo>& Collectors();  // sorted by name

#define FFDC_REGISTER_COLLECTOR(name, deadline, function)            \
  [[maybe_unused]] const bool ffdc_collector_registered_##function = \
      ffdc::RegisterCollector({name, deadline, function})

}  // namespace ffdc
