// SPDX-License-Identifier: Apache-2.0
#include "capture/collector.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/fs.h"
#include "capture/staging.h"

namespace ffdc {
namespace {

constexpr size_t kBufferBytes = 64u << 10;

std::vector<CollectorInfo>& Registry() {
  static std::vector<CollectorInfo> registry;
  return registry;
}

}  // namespace

bool CaptureFile::Write(std::string_view data) {
  if (truncated_ || write_error_ != 0) return false;
  const bool fits = data.size() <= *budget_bytes_;
  if (!fits) data = data.substr(0, *budget_bytes_);
  *budget_bytes_ -= data.size();
  if (const size_t newline = data.rfind('\n'); newline != std::string_view::npos) {
    line_end_ = bytes_ + newline + 1;
  }
  bytes_ += data.size();
  buffer_.append(data);
  if (!fits) {
    CutAtLine();
  } else if (buffer_.size() >= kBufferBytes) {
    // Whole lines, so that the file of a killed worker ends with one.
    const uint64_t flushed = bytes_ - buffer_.size();
    FlushFront(line_end_ > flushed ? static_cast<size_t>(line_end_ - flushed) : buffer_.size());
  }
  return !truncated_ && write_error_ == 0;
}

void CaptureFile::Flush() { FlushFront(buffer_.size()); }

void CaptureFile::FlushFront(size_t size) {
  if (write_error_ != 0 || size == 0) return;
  if (auto written = WriteAll(fd_.get(), std::string_view(buffer_).substr(0, size), name_); !written) {
    write_error_ = written.error().code != 0 ? written.error().code : EIO;
    // How much of it went out is not known; what went out before is whole.
    bytes_ -= buffer_.size();
    buffer_.clear();
    truncated_ = true;
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) bytes_ = 0;
    return;
  }
  buffer_.erase(0, size);
}

// Drops the incomplete line at the end, wherever it lies by now.
void CaptureFile::CutAtLine() {
  truncated_ = true;
  const uint64_t end = line_end_ > 0 ? line_end_ : bytes_;
  const uint64_t flushed = bytes_ - buffer_.size();
  *budget_bytes_ += bytes_ - end;
  if (end >= flushed) {
    buffer_.resize(static_cast<size_t>(end - flushed));
  } else {
    buffer_.clear();
    if (::ftruncate(fd_.get(), static_cast<off_t>(end)) != 0) write_error_ = errno;
    if (::lseek(fd_.get(), static_cast<off_t>(end), SEEK_SET) < 0) write_error_ = errno;
  }
  bytes_ = end;
}

Result<> CaptureFile::Close() {
  if (!fd_.valid()) return {};
  Flush();
  fd_.reset();
  if (write_error_ != 0) return FailErrno("cannot write capture file " + name_, write_error_);
  return {};
}

CollectContext::CollectContext(const v1::CaptureJob& job, std::string collector, std::span<const int> fds)
    : job_(job), collector_(std::move(collector)), fds_(fds), budget_bytes_(job.collector_max_bytes()) {
  status_.mutable_result()->set_name(collector_);
}

Result<CaptureFile*> CollectContext::Create(std::string_view name) {
  if (!IsPlainFileName(name)) {
    return Fail("collector " + collector_ + " asked for a capture file named '" + std::string(name) +
                "'; a name is one path component and not hidden");
  }
  v1::CapturedFile& listed = *status_.add_files();
  listed.set_name(std::string(name));
  listed.set_collector(collector_);
  // First of all: whose file it is must be known even if this process does not live to say it.
  if (auto written = WritePartialStatus(job_.staging_dir(), status_); !written) {
    status_.mutable_files()->RemoveLast();
    return Unexpected(written.error());
  }
  const std::string path = job_.staging_dir() + "/files/" + std::string(name);
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) {
    const int error = errno;
    status_.mutable_files()->RemoveLast();
    return FailErrno("cannot create capture file " + path, error);
  }
  files_.push_back(std::make_unique<CaptureFile>(std::move(fd), std::string(name), &budget_bytes_));
  return files_.back().get();
}

void CollectContext::AddLoss(std::string what, uint64_t count, std::string detail) {
  v1::Loss& loss = *status_.add_losses();
  loss.set_what(std::move(what));
  loss.set_count(count);
  loss.set_detail(std::move(detail));
}

Result<> CollectContext::Finish() {
  Result<> first;
  uint64_t bytes = 0;
  for (size_t i = 0; i < files_.size(); ++i) {
    if (auto closed = files_[i]->Close(); !closed && first) first = std::move(closed);
    bytes += files_[i]->bytes();
    status_.mutable_files(static_cast<int>(i))->set_truncated(files_[i]->truncated());
  }
  status_.mutable_result()->set_bytes(bytes);
  return first;
}

bool RegisterCollector(CollectorInfo info) {
  auto& registry = Registry();
  const auto place =
      std::lower_bound(registry.begin(), registry.end(), info,
                       [](const CollectorInfo& a, const CollectorInfo& b) { return a.name < b.name; });
  registry.insert(place, std::move(info));
  return true;
}

const std::vector<CollectorInfo>& Collectors() { return Registry(); }

}  // namespace ffdc
