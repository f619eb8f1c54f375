// SPDX-License-Identifier: Apache-2.0
// links: ffdc_probe
// Addresses as mounts, sysfs and the configuration write them, and rtnetlink messages.
// The first byte chooses the parser.
#include <netlink/msg.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "probe/endpoints.h"
#include "probe/rtnetlink.h"

namespace {

void CheckMessage(const uint8_t* data, size_t size, uint16_t type) {
  nl_msg* message = nlmsg_alloc_size(NLMSG_HDRLEN + size + NLMSG_ALIGNTO);
  if (message == nullptr) return;
  nlmsg_put(message, 0, 0, type, static_cast<int>(size), 0);
  nlmsg_set_proto(message, NETLINK_ROUTE);
  std::memcpy(nlmsg_data(nlmsg_hdr(message)), data, size);
  ffdc::ParseLinkNews(message);
  ffdc::ParseNeighbourNews(message);
  nlmsg_free(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto endpoint = ffdc::ParseEndpoint(text)) {
        const auto again = ffdc::ParseEndpoint(endpoint->Name());
        if (!again || !(*again == *endpoint)) abort();
      }
      break;
    case 1:
      if (const auto mount = ffdc::ParseMount(text)) ffdc::EndpointsOfMount(*mount);
      break;
    case 2:
      if (ffdc::ParseMonitors(text, 6789).size() > ffdc::kMaxEndpoints) abort();
      break;
    case 3:
      CheckMessage(data + 1, size - 1, 16);  // RTM_NEWLINK
      break;
    default:
      CheckMessage(data + 1, size - 1, 28);  // RTM_NEWNEIGH
  }
  return 0;
}
