// SPDX-License-Identifier: Apache-2.0
#include "store/progress_pipe.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <cerrno>

#include "base/fs.h"
#include "base/progress.h"

namespace ffdc {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
// Well below what a reader takes as one message.
constexpr int kMaxEntries = 500;

}  // namespace

Result<> ProgressPipe::Tell() {
  ReportProgress();
  const int entries = next_.captures_size() + next_.problems_size() + next_.removed_size();
  if (entries < kMaxEntries && std::chrono::steady_clock::now() - sent_at_ < kInterval) return {};
  return Send();
}

Result<> ProgressPipe::Finish() {
  next_.set_finished(true);
  return Send();
}

Result<> ProgressPipe::Send() {
  // The library's own way to a descriptor tells nothing of an error while it flushes.
  std::string text;
  {
    google::protobuf::io::StringOutputStream stream(&text);
    if (!google::protobuf::util::SerializeDelimitedToZeroCopyStream(next_, &stream))
      return Fail("what was done cannot be told: it is too long");
  }
  if (const auto written = WriteAll(fd_, text, "a pipe"); !written) {
    if (written.error().code == EPIPE) return Fail("the one who asked went away", EPIPE);
    return Unexpected(written.error());
  }
  next_.clear_captures();
  next_.clear_problems();
  next_.clear_removed();
  sent_at_ = std::chrono::steady_clock::now();
  return {};
}

}  // namespace ffdc
