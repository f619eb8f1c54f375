// SPDX-License-Identifier: Apache-2.0
#include "cluster/scope.h"

#include <algorithm>

#include "base/pattern.h"

namespace ffdc {

bool InScope(const v1::Member& member, const v1::Event& event) {
  if (member.alert_kinds().empty() || MatchesAny(member.alert_kinds(), event.kind())) return true;
  if (event.domain() == v1::X3 || event.domain() == v1::LIFE_CYCLE || event.kind().starts_with("store."))
    return true;
  const auto& subjects = member.subjects();
  if (MatchesAny(subjects, event.subject().id())) return true;
  return std::any_of(event.related_ids().begin(), event.related_ids().end(),
                     [&](const std::string& id) { return MatchesAny(subjects, id); });
}

}  // namespace ffdc
