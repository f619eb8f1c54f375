// SPDX-License-Identifier: Apache-2.0
#include "capture/manifest.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace ffdc {
namespace {

v1::CollectorStatus Interrupted(const std::string& collector) {
  v1::CollectorStatus status;
  status.mutable_result()->set_name(collector);
  status.mutable_result()->set_outcome(v1::INTERRUPTED);
  status.mutable_result()->set_error("the agent ended while it ran");
  return status;
}

void AddLoss(v1::Manifest* manifest, std::string what, std::string detail) {
  v1::Loss& loss = *manifest->add_losses();
  loss.set_what(std::move(what));
  loss.set_count(1);
  loss.set_detail(std::move(detail));
}

void AddOutcomeLoss(v1::Manifest* manifest, const v1::CollectorResult& result) {
  if (result.outcome() == v1::OK) return;
  std::string outcome = v1::CollectorOutcome_Name(result.outcome());
  std::transform(outcome.begin(), outcome.end(), outcome.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  AddLoss(manifest, "collector." + result.name() + "." + outcome, result.error());
}

// Name -> entry, by what the collectors said. A file that its collector began
// but did not close was cut short.
std::map<std::string, v1::CapturedFile> Claims(const StagedStatuses& statuses) {
  std::map<std::string, v1::CapturedFile> claims;
  for (const auto& [collector, status] : statuses.ended) {
    for (const v1::CapturedFile& file : status.files()) claims.insert({file.name(), file});
  }
  for (const auto& [collector, status] : statuses.begun) {
    for (v1::CapturedFile file : status.files()) {
      file.set_truncated(true);
      claims.insert({file.name(), file});
    }
  }
  return claims;
}

void AddFiles(v1::Manifest* manifest, const StagedStatuses& statuses, std::vector<std::string> found) {
  std::sort(found.begin(), found.end());
  const auto claims = Claims(statuses);
  for (const std::string& name : found) {
    v1::CapturedFile& file = *manifest->add_files();
    if (const auto claim = claims.find(name); claim != claims.end()) {
      file.set_collector(claim->second.collector());
      file.set_truncated(claim->second.truncated());
    }
    file.set_name(name);
  }
  for (const auto& [collector, status] : statuses.ended) {
    for (const v1::CapturedFile& file : status.files()) {
      if (std::binary_search(found.begin(), found.end(), file.name())) continue;
      AddLoss(manifest, "capture.file_missing", file.name() + ", which " + collector + " said it wrote");
    }
  }
}

}  // namespace

v1::Manifest AssembleManifest(const v1::CaptureJob& job, const StagedStatuses& statuses,
                              std::vector<std::string> found) {
  v1::Manifest manifest = job.manifest();
  manifest.set_format(1);
  // The seal's own, whatever a staged job says.
  manifest.clear_collectors();
  manifest.clear_files();
  manifest.clear_last_ios();
  std::map<std::string, v1::CollectorStatus> all = statuses.ended;
  for (const std::string& collector : job.collectors()) all.insert({collector, Interrupted(collector)});
  for (const auto& [collector, status] : statuses.begun) all.insert({collector, Interrupted(collector)});

  for (const auto& [collector, status] : all) {
    *manifest.add_collectors() = status.result();
    for (const v1::Loss& loss : status.losses()) *manifest.add_losses() = loss;
    for (const v1::FailedIo& io : status.last_ios()) *manifest.add_last_ios() = io;
    AddOutcomeLoss(&manifest, status.result());
  }
  AddFiles(&manifest, statuses, std::move(found));
  return manifest;
}

void CountCollectorBytes(v1::Manifest* manifest) {
  std::map<std::string, uint64_t> bytes;
  for (const v1::CapturedFile& file : manifest->files()) bytes[file.collector()] += file.size_bytes();
  for (v1::CollectorResult& result : *manifest->mutable_collectors()) result.set_bytes(bytes[result.name()]);
}

}  // namespace ffdc
