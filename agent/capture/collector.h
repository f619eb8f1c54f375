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

// A file of the capture with a byte cap. What does not fit is dropped at a line
// boundary and the file is marked truncated.
class CaptureFile {
 public:
  CaptureFile(Fd fd, std::string name, uint64_t max_bytes) : fd_(std::move(fd)), name_(std::move(name)), left_(max_bytes) {}
  // Appends; returns false once the cap is reached (stop producing). Buffered.
  bool Write(std::string_view data);
  Result<> Close();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  Fd fd_;
  std::string name_;
  std::string buffer_;
  uint64_t left_;
  uint64_t bytes_ = 0;
  bool truncated_ = false;
  int write_error_ = 0;
};

class CollectContext {
 public:
  CollectContext(const v1::CaptureJob& job, std::string collector, std::span<const int> fds);
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

#define FFDC_REGISTER_COLLECTOR(name, deadline, function) \
  [[maybe_unused]] const bool ffdc_collector_registered_##function = ffdc::RegisterCollector({name, deadline, function})

}  // namespace ffdc
