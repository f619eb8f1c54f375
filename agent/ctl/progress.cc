// SPDX-License-Identifier: Apache-2.0
#include "ctl/progress.h"

#include <algorithm>
#include <iostream>

#include "ctl/format.h"

namespace ffdc::ctl {
namespace {

constexpr uint64_t kBarColumns = 20;

std::string Bar(uint64_t percent) {
  std::string bar(kBarColumns, ' ');
  std::fill_n(bar.begin(), percent * kBarColumns / 100, '#');
  return "[" + bar + "]";
}

}  // namespace

std::string ProgressLine(uint64_t bytes, uint64_t total_bytes, double seconds, const std::string& prefix) {
  std::string line = prefix.empty() ? "" : prefix + "  ";
  if (total_bytes > 0) {
    // Not bytes * 100: that overflows.
    const auto share = static_cast<double>(bytes) / static_cast<double>(total_bytes);
    const auto percent = static_cast<uint64_t>(std::min(share, 1.0) * 100);
    line += std::to_string(percent) + " % " + Bar(percent) + " ";
  }
  line += FormatBytes(bytes);
  if (total_bytes > 0) line += " of " + FormatBytes(total_bytes);
  if (seconds > 0)
    line += "  " + FormatBytes(static_cast<uint64_t>(static_cast<double>(bytes) / seconds)) + "/s";
  return line;
}

Progress::~Progress() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
}

void Progress::Update(uint64_t bytes, uint64_t total_bytes, const std::string& prefix) {
  const auto now = Clock::now();
  if (!shown_ || now - drawn_at_ < std::chrono::milliseconds(200)) return;
  drawn_at_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - started_at_).count();
  std::cerr << "\r\033[K" << ProgressLine(bytes, total_bytes, seconds, prefix) << std::flush;
}

}  // namespace ffdc::ctl
