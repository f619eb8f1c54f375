// SPDX-License-Identifier: Apache-2.0
// The staging folder of one capture, <runtime>/captures/<incident-id>:
//   job.pb                     what to capture; its removal is the staging's end
//   files/<name>               what the collectors wrote
//   status/<collector>.part    the files a collector has begun (CollectorStatus)
//   status/<collector>.pb      how the collector ended; written last
//   sealing                    lock of the seal; holds the name it is publishing
// It lies in tmpfs and outlives a crash of the agent, so whoever reads it checks it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ffdc/v1/capture.pb.h"

namespace ffdc {

// May become a file of the capture or of the status folder: one path component
// of printable ASCII that is not hidden.
bool IsPlainFileName(std::string_view name);

Result<> CreateStaging(const v1::CaptureJob& job);
// The job of a staging folder. Where it and the spool lie is taken from the
// arguments, never from the file, which a former life wrote.
Result<v1::CaptureJob> ReadJob(const std::string& staging_dir, const std::string& spool_dir);
// As ReadJob, of the bytes. incident_id is the folder's name; the job must be of it.
Result<v1::CaptureJob> ParseJob(std::string_view bytes, std::string_view incident_id);
// Files with names that are none, or that another collector owns, are left out.
Result<v1::CollectorStatus> ParseStatus(std::string_view bytes, std::string_view collector);

// The whole file appears at once: its writer may be killed at any moment.
Result<> WriteStatus(const std::string& staging_dir, const v1::CollectorStatus& status);
Result<> WritePartialStatus(const std::string& staging_dir, const v1::CollectorStatus& status);
bool HasStatus(const std::string& staging_dir, std::string_view collector);

struct StagedStatuses {
  std::map<std::string, v1::CollectorStatus> ended;
  std::map<std::string, v1::CollectorStatus> begun;  // of those that did not end
};
Result<StagedStatuses> ReadStatuses(const std::string& staging_dir);

uint64_t StagedBytes(const std::string& staging_dir);

}  // namespace ffdc
