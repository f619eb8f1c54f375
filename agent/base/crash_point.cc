// SPDX-License-Identifier: Apache-2.0
#include "base/crash_point.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace ffdc {
namespace {

// In the order in which one incident passes them.
constexpr auto kPoints = std::to_array<std::string_view>({"incident.opened",
                                                          "capture.staged",
                                                          "capture.collecting",
                                                          "collect.finished",
                                                          "collect.reported",
                                                          "capture.collected",
                                                          "seal.begun",
                                                          "seal.archived",
                                                          "seal.synced",
                                                          "seal.publishing",
                                                          "seal.renamed",
                                                          "seal.published",
                                                          "seal.job_removed",
                                                          "capture.sealed",
                                                          "incident.captured",
                                                          "index.before_commit",
                                                          "index.committed",
                                                          "store.marked",
                                                          "ship.source_checked",
                                                          "ship.tmp_made",
                                                          "ship.half_copied",
                                                          "ship.archive_copied",
                                                          "ship.copied",
                                                          "ship.verified",
                                                          "ship.published",
                                                          "ship.incident_written",
                                                          "ship.spool_set_aside",
                                                          "ship.spool_removed",
                                                          "store.incident_rewritten",
                                                          "incident.closed"});

}  // namespace

std::span<const std::string_view> AllCrashPoints() { return kPoints; }

void CrashPoint(std::string_view name) {
#ifdef FFDC_CRASH_POINTS
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the agent never changes its environment
  const char* const wanted = std::getenv("FFDC_CRASH_AT");
  if (wanted == nullptr || name != wanted) return;
  if (std::find(kPoints.begin(), kPoints.end(), name) == kPoints.end()) std::abort();
  kill(0, SIGKILL);
#else
  (void)name;
#endif
}

}  // namespace ffdc
