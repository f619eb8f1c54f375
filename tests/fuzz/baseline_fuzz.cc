// SPDX-License-Identifier: Apache-2.0
// links: ffdc_detect
// The file of what is usual for the disks: it may be damaged.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "detect/baseline.h"
#include "detect/baseline_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = ffdc::ParseBaselineFile(bytes)) {
    if (!ffdc::ParseBaselineFile(ffdc::FormatBaselineFile(*parsed))) abort();
  }
  // A checksum that is right says nothing of the content.
  ffdc::Baseline baseline;
  if (!baseline.Decode(bytes)) return 0;
  if (baseline.Encode() != bytes) abort();
  const ffdc::LatencyWindow window{1'000'000, 2'000'000, 100, 4096};
  (void)baseline.Judge(window, 3, 5);
  for (uint32_t i = 0; i < 1000; ++i) baseline.Learn(window, i, false);
  return 0;
}
