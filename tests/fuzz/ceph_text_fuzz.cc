// SPDX-License-Identifier: Apache-2.0
// links: ffdc_store
// Index entries of a Ceph pool, a monitor's answer, and the store's url: whatever is in there, it is
// refused or safe to build objects' names from, and what was understood is written down the same.
#include <cstdlib>

#include "base/endpoint.h"
#include "base/store_url.h"
#include "base/uuid.h"
#include "store/ceph_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = ffdc::ParseIndexKey(text)) {
    if (!ffdc::IsUuid(key->incident_id) || key->node.empty() || key->node.find('/') != std::string::npos)
      abort();
  }
  if (const auto entry = ffdc::ParseIndexEntry(text)) {
    const auto again = ffdc::ParseIndexEntry(ffdc::FormatIndexEntry(*entry));
    if (!again || again->state != entry->state || again->bytes != entry->bytes ||
        again->since_s != entry->since_s || again->upload != entry->upload)
      abort();
  }
  if (const auto space = ffdc::ParsePoolSpace(text, "p"); space && space->total_bytes < space->used_bytes)
    abort();
  if (const auto monitors = ffdc::ParseMonitorMap(text)) {
    if (monitors->size() > ffdc::kMaxMonitorAddresses) abort();
    for (const std::string& address : *monitors)
      if (!ffdc::ParseEndpoint(address)) abort();
  }
  if (const auto url = ffdc::ParseRadosUrl(text)) {
    if (url->pool.empty() || url->id.empty() || url->conf.front() != '/') abort();
  }
  return 0;
}
