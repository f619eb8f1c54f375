// SPDX-License-Identifier: Apache-2.0
// links: ffdc_store
// The small files of a store that every node reads: its marker, its lease, who uses a name. Whatever is in
// there, an id is one, and nothing is waited for.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/fs.h"
#include "base/uuid.h"
#include "store/dir_driver.h"
#include "store/dir_files.h"
#include "store/name_claim.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path root = "/dev/shm/ffdc-fuzz-store." + std::to_string(getpid());
  const auto cluster = root / "v1/lab";
  if (!ffdc::MakeDirs(cluster / "tmp")) abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"store.json", "lease.json", "name.json"}) {
    if (!ffdc::WriteFile(cluster / name, text)) abort();
  }
  const auto id = ffdc::MakeDirDriver(root, "lab", "node1")->MarkerId();
  if (id && !ffdc::IsUuid(*id)) abort();
  ffdc::FileLease lease(cluster / "lease.json", cluster / "tmp", "node1");
  const auto acquired = lease.Acquire();
  if (!acquired) abort();
  if (*acquired) lease.Release();
  if (!ffdc::ClaimName(cluster / "name.json", cluster / "tmp/name", "node1")) abort();
  return 0;
}
