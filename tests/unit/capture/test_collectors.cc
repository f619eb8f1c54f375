// SPDX-License-Identifier: Apache-2.0
// One collector for each way to end.
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>
#include <stdexcept>

#include "capture/collector.h"
#include "capture/redactor.h"

namespace ffdc::capture_test {
namespace {

using namespace std::chrono_literals;

Result<> WriteOneLine(CollectContext& context, const char* name) {
  FFDC_ASSIGN(CaptureFile * file, context.Create(name));
  file->Write("one line\n");
  file->Write("begun but not ended");
  file->Flush();
  return {};
}

// What it was handed, its job, and what the manifest takes over.
Result<> Ok(CollectContext& context) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("ok.txt"));
  for (const int fd : context.fds()) {
    std::array<char, 256> data{};
    const ssize_t got = pread(fd, data.data(), data.size(), 0);
    if (got > 0) file->Write({data.data(), static_cast<size_t>(got)});
  }
  FFDC_ASSIGN(CaptureFile * subject, context.Create("subject.txt"));
  subject->Write(context.job().subject_name() + "\n");
  context.AddLoss("kernel_log.overwritten", 3, "the ring is small");
  context.status().add_last_ios()->set_sector(4711);
  return {};
}

// What the rules of redaction find hard.
Result<> Redact(CollectContext& context) {
  FFDC_ASSIGN(CaptureFile * binary, context.Create("binary.dat"));
  binary->Write(std::string_view("sda\0sdb", 7));
  FFDC_ASSIGN(CaptureFile * text, context.Create("long.txt"));
  text->Write(std::string(Redactor::kMaxLineBytes + 10, 'x') + "\nsda");
  return {};
}

Result<> Error(CollectContext& context) {
  FFDC_TRY(WriteOneLine(context, "error.txt"));
  return Fail("no debugfs, bytes \xff");
}

Result<> Hang(CollectContext& context) {
  FFDC_TRY(WriteOneLine(context, "hang.txt"));
  for (;;) pause();
}

Result<> Crash(CollectContext& context) {
  FFDC_TRY(WriteOneLine(context, "crash.txt"));
  raise(SIGKILL);
  return {};
}

Result<> Throw(CollectContext& context) {
  FFDC_TRY(WriteOneLine(context, "throw.txt"));
  throw std::runtime_error("thrown");
}

Result<> Cap(CollectContext& context) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("cap.txt"));
  while (file->Write("a line of some length\n")) {
  }
  return {};
}

Result<> Silent(CollectContext& /*context*/) { return {}; }

// Does not compress, so that the archive is as big.
Result<> Noise(CollectContext& context) {
  FFDC_ASSIGN(CaptureFile * file, context.Create("noise.bin"));
  std::mt19937 random(1);
  for (int i = 0; i < 50'000; ++i) {
    const auto word = static_cast<uint32_t>(random());
    file->Write({reinterpret_cast<const char*>(&word), sizeof word});
  }
  return {};
}

Result<> BadName(CollectContext& context) {
  FFDC_TRY(context.Create("../job.pb"));
  return {};
}

FFDC_REGISTER_COLLECTOR("test_bad_name", 60s, BadName);
FFDC_REGISTER_COLLECTOR("test_cap", 60s, Cap);
FFDC_REGISTER_COLLECTOR("test_crash", 60s, Crash);
FFDC_REGISTER_COLLECTOR("test_error", 60s, Error);
FFDC_REGISTER_COLLECTOR("test_hang", 500ms, Hang);
FFDC_REGISTER_COLLECTOR("test_noise", 60s, Noise);
FFDC_REGISTER_COLLECTOR("test_ok", 60s, Ok);
FFDC_REGISTER_COLLECTOR("test_redact", 60s, Redact);
FFDC_REGISTER_COLLECTOR("test_silent", 60s, Silent);
FFDC_REGISTER_COLLECTOR("test_throw", 60s, Throw);

}  // namespace
}  // namespace ffdc::capture_test
