// SPDX-License-Identifier: Apache-2.0
// What the workers of this stage do.
#include <algorithm>
#include <exception>

#include "base/clock.h"
#include "base/crash_point.h"
#include "capture/collector.h"
#include "capture/runner.h"
#include "capture/seal.h"
#include "capture/spool.h"
#include "capture/staging.h"

namespace ffdc {
namespace {

template <class Message>
Result<Message> ParseArgument(std::string_view argument) {
  Message message;
  if (!message.ParseFromArray(argument.data(), static_cast<int>(argument.size()))) {
    return Fail("the argument of a capture worker is no " + message.GetTypeName());
  }
  return message;
}

// An exception in one collector must not cost the files it wrote.
Result<> CallCollector(const CollectorInfo& info, CollectContext& context) {
  try {
    return info.collect(context);
  } catch (const std::exception& exception) {
    return Fail(std::string("exception: ") + exception.what());
  }
}

v1::CollectorStatus RunCollector(const CollectorInfo& info, const v1::CaptureJob& job,
                                 std::span<const int> fds) {
  CollectContext context(job, info.name, fds);
  const uint64_t begin_ns = SystemClock().MonotonicNs();
  auto collected = CallCollector(info, context);
  auto closed = context.Finish();
  if (collected && !closed) collected = std::move(closed);

  v1::CollectorStatus status = context.status();
  v1::CollectorResult& result = *status.mutable_result();
  result.set_elapsed_ns(SystemClock().MonotonicNs() - begin_ns);
  const auto cut = std::find_if(status.files().begin(), status.files().end(),
                                [](const v1::CapturedFile& file) { return file.truncated(); });
  if (!collected) {
    result.set_outcome(v1::ERROR);
    result.set_error(collected.error().message);
  } else if (cut != status.files().end()) {
    result.set_outcome(v1::CUT);
    result.set_error(cut->name() + " was cut at the limit of " + std::to_string(job.collector_max_bytes()) +
                     " bytes");
  } else {
    result.set_outcome(v1::OK);
  }
  return status;
}

Result<std::string> Collect(std::string_view argument, std::span<const int> fds) {
  FFDC_ASSIGN(const v1::CollectArgs args, ParseArgument<v1::CollectArgs>(argument));
  FFDC_ASSIGN(v1::CaptureJob job, ReadJob(args.job().staging_dir(), args.job().spool_dir()));
  job.set_collector_max_bytes(args.job().collector_max_bytes());
  const auto& all = Collectors();
  const auto info = std::find_if(all.begin(), all.end(),
                                 [&](const CollectorInfo& c) { return c.name == args.collector(); });
  if (info == all.end()) return Fail("there is no collector named " + args.collector());
  const v1::CollectorStatus status = RunCollector(*info, job, fds);
  CrashPoint("collect.finished");
  FFDC_TRY(WriteStatus(job.staging_dir(), status));
  CrashPoint("collect.reported");
  return std::string();
}

Result<std::string> Seal(std::string_view argument, std::span<const int> /*fds*/) {
  FFDC_ASSIGN(const v1::SealArgs args, ParseArgument<v1::SealArgs>(argument));
  FFDC_ASSIGN(v1::SealedCapture sealed, SealCapture(args));
  if (sealed.ByteSizeLong() > kMaxReplyBytes) {
    // The agent needs the results; manifest.json keeps all of it.
    sealed.mutable_manifest()->clear_trigger();
    sealed.mutable_manifest()->clear_last_ios();
    sealed.mutable_manifest()->clear_probes();
  }
  return sealed.SerializeAsString();
}

Result<std::string> Recover(std::string_view argument, std::span<const int> /*fds*/) {
  FFDC_ASSIGN(const v1::SpoolCleanArgs args, ParseArgument<v1::SpoolCleanArgs>(argument));
  FFDC_TRY(CleanSpool(args));
  return std::string();
}

}  // namespace

WorkerTasks CaptureTasks() {
  return {{"capture.collect", Collect}, {"capture.seal", Seal}, {"capture.recover", Recover}};
}

}  // namespace ffdc
