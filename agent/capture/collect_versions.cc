// SPDX-License-Identifier: Apache-2.0
// versions: what ran here, and which probes watched.
#include <chrono>

#include "base/proto_json.h"
#include "capture/collector.h"

namespace ffdc {
namespace {

Result<> CollectorVersions(CollectContext& context) {
  // A manifest with nothing else in it: the same field names as in manifest.json.
  v1::Manifest manifest;
  *manifest.mutable_versions() = context.job().manifest().versions();
  *manifest.mutable_probes() = context.job().manifest().probes();
  FFDC_ASSIGN(const std::string json, ToJson(manifest));
  FFDC_ASSIGN(CaptureFile * file, context.Create("versions.json"));
  file->Write(json);
  return {};
}
FFDC_REGISTER_COLLECTOR("versions", std::chrono::seconds(2), CollectorVersions);

}  // namespace
}  // namespace ffdc
