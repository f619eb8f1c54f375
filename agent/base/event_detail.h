// SPDX-License-Identifier: Apache-2.0
// What of an event goes to those who are told of it; the rest is in the capture.
#pragma once

#include "ffdc/v1/incident.pb.h"

namespace ffdc {

// Takes single I/Os and waiting tasks away: all that grows with the failure.
inline void DropDetail(v1::Event& event) {
  event.clear_evidence();
  event.clear_waiters();
}
inline void DropDetail(v1::Incident& incident) {
  for (v1::Event& event : *incident.mutable_events()) DropDetail(event);
}

}  // namespace ffdc
