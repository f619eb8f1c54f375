// SPDX-License-Identifier: Apache-2.0
#include "capture/staging.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/fs.h"
#include "base/proto_json.h"
#include "base/uuid.h"

namespace ffdc {
namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxNameBytes = 200;
constexpr std::string_view kEnded = ".pb";
constexpr std::string_view kBegun = ".part";

std::string StatusPath(const std::string& staging_dir, std::string_view collector, std::string_view suffix) {
  return staging_dir + "/status/" + std::string(collector) + std::string(suffix);
}

// Rename alone is enough: staging need not outlive the kernel, only its writer.
Result<> WriteAtOnce(const std::string& path, const google::protobuf::Message& message) {
  const std::string temporary = path + ".tmp";
  FFDC_TRY(WriteFile(temporary, message.SerializeAsString()));
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return FailErrno("cannot publish " + path);
  return {};
}

Result<> WriteStatusAs(const std::string& staging_dir, const v1::CollectorStatus& status,
                       std::string_view suffix) {
  v1::CollectorStatus readable = status;
  ScrubUtf8(&readable);
  return WriteAtOnce(StatusPath(staging_dir, status.result().name(), suffix), readable);
}

}  // namespace

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != '/'; });
}

Result<> CreateStaging(const v1::CaptureJob& job) {
  FFDC_TRY(MakeDirs(job.staging_dir() + "/files"));
  FFDC_TRY(MakeDirs(job.staging_dir() + "/status"));
  v1::CaptureJob readable = job;
  ScrubUtf8(&readable);
  return WriteAtOnce(job.staging_dir() + "/job.pb", readable);
}

Result<v1::CaptureJob> ParseJob(std::string_view bytes, std::string_view incident_id) {
  v1::CaptureJob job;
  if (!job.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Fail("the capture's job.pb is damaged");
  }
  if (!IsUuid(incident_id) || job.manifest().incident_id() != incident_id) {
    return Fail("the capture's job.pb is of incident '" + job.manifest().incident_id() + "', not of '" +
                std::string(incident_id) + "'");
  }
  return job;
}

Result<v1::CaptureJob> ReadJob(const std::string& staging_dir, const std::string& spool_dir) {
  FFDC_ASSIGN(const std::string bytes, ReadFile(staging_dir + "/job.pb"));
  FFDC_ASSIGN(v1::CaptureJob job, ParseJob(bytes, fs::path(staging_dir).filename().string()));
  job.set_staging_dir(staging_dir);
  job.set_spool_dir(spool_dir);
  return job;
}

Result<v1::CollectorStatus> ParseStatus(std::string_view bytes, std::string_view collector) {
  v1::CollectorStatus status;
  if (!status.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      status.result().name() != collector) {
    return Fail("the status of collector " + std::string(collector) + " is damaged");
  }
  auto& files = *status.mutable_files();
  files.erase(std::remove_if(files.begin(), files.end(),
                             [&](const v1::CapturedFile& file) {
                               return !IsPlainFileName(file.name()) || file.collector() != collector;
                             }),
              files.end());
  return status;
}

Result<> WriteStatus(const std::string& staging_dir, const v1::CollectorStatus& status) {
  return WriteStatusAs(staging_dir, status, kEnded);
}

Result<> WritePartialStatus(const std::string& staging_dir, const v1::CollectorStatus& status) {
  return WriteStatusAs(staging_dir, status, kBegun);
}

bool HasStatus(const std::string& staging_dir, std::string_view collector) {
  std::error_code ignored;
  return fs::exists(StatusPath(staging_dir, collector, kEnded), ignored);
}

Result<StagedStatuses> ReadStatuses(const std::string& staging_dir) {
  StagedStatuses statuses;
  std::error_code code;
  for (fs::directory_iterator entry(staging_dir + "/status", code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string suffix = entry->path().extension().string();
    const std::string collector = entry->path().stem().string();
    if ((suffix != kEnded && suffix != kBegun) || !IsPlainFileName(collector)) continue;
    FFDC_ASSIGN(const std::string bytes, ReadFile(entry->path()));
    auto status = ParseStatus(bytes, collector);
    // A damaged status is as good as none: its collector counts as interrupted.
    if (status) (suffix == kEnded ? statuses.ended : statuses.begun).insert({collector, std::move(*status)});
  }
  if (code) return FailErrno("cannot list " + staging_dir + "/status", code.value());
  return statuses;
}

uint64_t StagedBytes(const std::string& staging_dir) { return FolderBytes(staging_dir + "/files"); }

}  // namespace ffdc
