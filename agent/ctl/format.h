// SPDX-License-Identifier: Apache-2.0
// Numbers, times and enumerations as a person reads them.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/style.h"
#include "ffdc/v1/incident.pb.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc::ctl {

std::string FormatBytes(uint64_t bytes);  // "512 B", "4.0 KiB", "1.2 MiB"
std::string FormatSpan(uint64_t ns);      // "850 ns", "1.23 ms", "2.50 s", "3m 20s", "2h 5m", "4d 3h"
std::string FormatCount(uint64_t count);  // "1,000,000"
std::string FormatPlural(uint64_t count, std::string_view one, std::string_view many);  // "1 file", "2 files"
std::string FormatUtc(int64_t wall_ns);                            // "2026-11-23 06:12:00.123 UTC"
std::string FormatTimeOfDay(int64_t wall_ns);                      // "06:12:00.123456"
std::string FormatAge(int64_t now_wall_ns, int64_t then_wall_ns);  // "3m ago"
int64_t WallNs(const google::protobuf::Timestamp& time);

// The time part of a UUIDv7, enough to tell incidents apart and to be typed: "019aaf2c-5d40".
std::string ShortId(std::string_view id);
// As ShortId, or longer where two of them would be the same.
std::vector<std::string> ShortIds(const std::vector<std::string>& ids);

std::string Word(v1::Severity severity);         // "CRITICAL"
std::string Word(v1::IncidentState state);       // "open"
std::string Word(v1::CaptureState state);        // "stored"
std::string Word(v1::CollectorOutcome outcome);  // "timed out"
Style StyleOf(v1::Severity severity);
Style StyleOf(v1::CaptureState state);
Style StyleOf(v1::CollectorOutcome outcome);

// "loop7", or the identity where the subject has no name.
std::string SubjectName(const v1::Subject& subject);
uint64_t EventCount(const v1::Incident& incident);    // with those that are not kept
uint64_t FailureCount(const v1::Incident& incident);  // of all its events; 0: it was asked for

}  // namespace ffdc::ctl
