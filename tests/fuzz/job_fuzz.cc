// SPDX-License-Identifier: Apache-2.0
// links: ffdc_capture
// What a crashed life left in a staging folder is either refused or becomes a
// manifest that can be written and names only plain files.
#include <algorithm>
#include <cstdlib>

#include "base/proto_json.h"
#include "base/uuid.h"
#include "capture/manifest.h"
#include "capture/staging.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// The name inside the bytes: a folder's name that fits, so that the fuzzer need not guess it.
ffdc::v1::CaptureJob FuzzedJob(std::string_view bytes) {
  ffdc::v1::CaptureJob named;
  if (!named.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  const auto job = ffdc::ParseJob(bytes, named.manifest().incident_id());
  Require(job.has_value() == ffdc::IsUuid(named.manifest().incident_id()));
  return job.value_or(ffdc::v1::CaptureJob());
}

ffdc::StagedStatuses FuzzedStatuses(std::string_view bytes) {
  ffdc::StagedStatuses statuses;
  ffdc::v1::CollectorStatus named;
  if (!named.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return statuses;
  const std::string& collector = named.result().name();
  auto status = ffdc::ParseStatus(bytes, collector);
  Require(status.has_value());
  for (const auto& file : status->files()) Require(ffdc::IsPlainFileName(file.name()));
  statuses.ended.insert({collector, *status});
  statuses.begun.insert({collector + "2", *status});
  return statuses;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // The first byte says where the job ends and the status begins.
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t split = bytes.size() * data[0] / 255;
  const auto job = FuzzedJob(bytes.substr(0, split));
  const auto statuses = FuzzedStatuses(bytes.substr(split));

  auto manifest = ffdc::AssembleManifest(job, statuses, {"ok.txt", "another.txt"});
  ffdc::CountCollectorBytes(&manifest);
  Require(manifest.files_size() == 2);
  Require(std::is_sorted(manifest.collectors().begin(), manifest.collectors().end(),
                         [](const auto& a, const auto& b) { return a.name() < b.name(); }));
  if (const auto text = ffdc::ToJson(manifest)) {
    ffdc::v1::Manifest again;
    Require(ffdc::FromJson(*text, &again).has_value());
  }
  return 0;
}
