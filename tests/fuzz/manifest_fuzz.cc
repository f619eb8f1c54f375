// SPDX-License-Identifier: Apache-2.0
// links: ffdc_store
// manifest.json, as found in a spool or a store: whatever is in there, it is
// refused or safe to build paths from.
#include <cstdlib>

#include "base/spool_layout.h"
#include "base/uuid.h"
#include "store/layout.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto manifest = ffdc::ParseManifest({reinterpret_cast<const char*>(data), size});
  if (!manifest) return 0;
  for (const auto* name : {&manifest->node(), &manifest->cluster()}) {
    if (name->empty() || name->find('/') != std::string::npos || *name == "." || *name == "..") abort();
  }
  if (!ffdc::IsUuid(manifest->incident_id()) || !ffdc::IsArchiveName(manifest->archive())) abort();
  return 0;
}
