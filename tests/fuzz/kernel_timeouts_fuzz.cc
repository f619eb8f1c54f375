// SPDX-License-Identifier: Apache-2.0
// links: ffdc_detect
// Messages of the kernel's log: processes may write them too.
#include <cstdint>
#include <cstdlib>

#include "detect/kernel_timeouts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto timeout = ffdc::ParseKernelTimeout({reinterpret_cast<const char*>(data), size});
  if (!timeout) return 0;
  if (timeout->device.empty() || timeout->device.size() > 31 ||
      timeout->device.find('/') != std::string::npos)
    abort();
  if (timeout->what.empty()) abort();
  return 0;
}
