// SPDX-License-Identifier: Apache-2.0
// links: ffdc_base
// The task iterator's text: names in it are the tasks' own bytes.
#include <cstdint>
#include <cstdlib>

#include "base/blocked_tasks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const ffdc::BlockedTask& task : ffdc::ParseBlockedTasks(text)) {
    if (task.comm.find('\n') != std::string::npos) abort();
    for (const std::string& frame : task.frames) {
      if (frame.size() > size) abort();
    }
  }
  return 0;
}
