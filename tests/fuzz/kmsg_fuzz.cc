// SPDX-License-Identifier: Apache-2.0
// links: ffdc_capture
// Records of the kernel's log: processes may write them too.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "base/utf8.h"
#include "capture/kmsg.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto record = ffdc::ParseKmsg({reinterpret_cast<const char*>(data), size});
  if (!record) return 0;
  ffdc::v1::CaptureJob job;
  job.mutable_manifest()->mutable_clock()->set_realtime_ns(1);
  const std::string line = ffdc::FormatKmsg(*record, ffdc::JobClock(job));
  // Valid UTF-8, no control character that a terminal obeys, one newline at the end.
  if (line.back() != '\n' || ffdc::Utf8Text(line) != line) abort();
  std::string_view rest = line;
  for (bool first = true; !rest.empty(); first = false) {
    const std::string_view part = ffdc::NextLine(rest);
    if (ffdc::PlainText(part) != part || (!first && part.substr(0, 4) != "    ")) abort();
  }
  return 0;
}
