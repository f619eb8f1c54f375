// SPDX-License-Identifier: Apache-2.0
// links: ffdc_probe
// What the kernel writes about paths to storage: names in it are the choice of servers and
// administrators. The first byte chooses the parser.
#include <cstdint>
#include <cstdlib>

#include "probe/path_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 9) {
    case 0:
      ffdc::ParseNvmeUevent(text);
      break;
    case 1:
      ffdc::ParseMountStats(text);
      break;
    case 2:
      ffdc::MountOption(text, "addr");
      break;
    case 3:
      if (const auto message = ffdc::ParseNbdMessage(text); message && message->device.empty()) abort();
      break;
    case 4:
      if (const auto message = ffdc::ParseNfsMessage(text); message && message->server.empty()) abort();
      break;
    case 5:
      ffdc::ScsiAddressIn(text);
      break;
    case 6:
      if (const auto message = ffdc::ParseCephMessage(text); message && message->peer.empty()) abort();
      break;
    case 7:
      ffdc::ParseCephRequests(text);
      break;
    default:
      ffdc::ParseSocketAddress({data + 1, size - 1});
  }
  return 0;
}
