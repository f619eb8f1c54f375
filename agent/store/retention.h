// SPDX-License-Identifier: Apache-2.0
// Who must leave the store: repeats before first failures, older ones before
// younger ones, pinned and open ones never.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ffdc {

struct RetentionLimits {
  uint64_t max_age_s = 0;  // 0: no limit
  uint64_t max_bytes = 0;
  uint64_t max_incidents = 0;
};

struct StoredIncident {
  std::string id;
  int64_t opened_wall_ns = 0;
  uint64_t bytes = 0;
  bool repeat = false;
  bool keep = false;
};

struct RetentionStep {
  std::string id;
  std::string reason;
};

// In the order of removal. Whether it is empty does not depend on `repeat`, and more that is kept
// never makes it longer: a plan without knowing these tells whether to find them out.
std::vector<RetentionStep> PlanRetention(std::vector<StoredIncident> incidents, const RetentionLimits& limits,
                                         int64_t now_ns);

}  // namespace ffdc
