// SPDX-License-Identifier: Apache-2.0
// links: ffdc_detect
// What detectors read out of text: the kernel's log (its words hold names that a person or a
// disk chose), the device mapper's status lines, what workers reply.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "detect/detect_tasks.h"
#include "detect/fs_messages.h"
#include "detect/machine_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto message = ffdc::ParseFsMessage(text)) {
    if (message->device.empty() || text.find(message->device) == std::string_view::npos) abort();
  }
  if (const auto message = ffdc::ParseMachineMessage(text); message && message->what.empty()) abort();
  if (const auto pool = ffdc::ParseThinPoolStatus(text, 1u << 20); pool && pool->mode != "fail") {
    if (pool->levels.size() != 2) abort();
  }
  (void)ffdc::ParseMountLevels(text);
  (void)ffdc::LastAsked(text);
  (void)ffdc::ParseThinPools(text);
  (void)ffdc::ParseThinVolumes(text);
  (void)ffdc::ParseThinVolume(text, text, "253:2");
  (void)ffdc::ParseNextElapse(text);
  return 0;
}
