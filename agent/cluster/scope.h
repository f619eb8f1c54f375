// SPDX-License-Identifier: Apache-2.0
// Which members capture when something fails on one of them.
#pragma once

#include "ffdc/v1/incident.pb.h"
#include "ffdc/v1/peer.pb.h"

namespace ffdc {

// Subjects that a member's entry may name: beyond that it would rather be told of all.
inline constexpr int kMaxMemberSubjects = 256;

// Whether an event of another node is one for `member`: of a kind that concerns the cluster as a whole (its
// nodes, its DB, its network, its store), of one that it subscribed to, or of a subject that it uses. A
// member that subscribed to nothing, as agents before that did not say, is told of all.
bool InScope(const v1::Member& member, const v1::Event& event);

}  // namespace ffdc
