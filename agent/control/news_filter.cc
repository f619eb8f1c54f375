// SPDX-License-Identifier: Apache-2.0
#include "control/news_filter.h"

#include <cerrno>

#include "base/pattern.h"

namespace ffdc::control {
namespace {

constexpr int kMaxPatterns = 64;
constexpr size_t kMaxPatternBytes = 256;

template <class Patterns>
Result<> CheckPatterns(const Patterns& patterns, const std::string& of) {
  if (patterns.size() > kMaxPatterns)
    return Fail("more than " + std::to_string(kMaxPatterns) + " patterns of " + of, EINVAL);
  for (const std::string& pattern : patterns) {
    if (pattern.empty() || pattern.size() > kMaxPatternBytes)
      return Fail("a pattern of " + of + " has 1 to " + std::to_string(kMaxPatternBytes) + " characters",
                  EINVAL);
  }
  return {};
}

bool Fits(const v1::WatchClusterRequest& wanted, const std::string& kind, const v1::Subject& subject,
          v1::Severity severity) {
  if (severity < wanted.min_severity()) return false;
  if (!wanted.kinds().empty() && !MatchesAny(wanted.kinds(), kind)) return false;
  return wanted.subjects().empty() || MatchesAny(wanted.subjects(), subject.id()) ||
         MatchesAny(wanted.subjects(), subject.name());
}

}  // namespace

Result<> CheckFilter(const v1::WatchClusterRequest& wanted) {
  FFDC_TRY(CheckPatterns(wanted.kinds(), "kinds"));
  return CheckPatterns(wanted.subjects(), "subjects");
}

bool IsWanted(const v1::WatchClusterRequest& wanted, const v1::News& news) {
  if (news.has_event()) {
    const v1::Event& event = news.event();
    return Fits(wanted, event.kind(), event.subject(), event.severity());
  }
  if (!news.has_incident()) return true;
  const v1::Incident& incident = news.incident();
  return Fits(wanted, incident.kind(), incident.subject(), incident.severity());
}

}  // namespace ffdc::control
