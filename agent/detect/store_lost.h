// SPDX-License-Identifier: Apache-2.0
// store.lost, store.restored: this node cannot reach the store of captures. One event an outage. Not a
// Detector: no probe tells of it, but the agent's own shipper. Loop thread only.
#pragma once

#include "base/store_state.h"
#include "detect/open_events.h"

namespace ffdc {

class StoreEvents {
 public:
  // below: identities of what the store stands on, such as a disk or a link (Event.below_ids).
  using Below = std::function<std::vector<std::string>()>;

  StoreEvents(const DetectorWorld& world, Below below, EventSink sink)
      : below_(std::move(below)),
        lost_(world, sink, "store.lost", v1::X1),
        restored_(world, std::move(sink), "store.restored", v1::X1) {}

  void OnStore(const StoreState& state);
  void Tick();  // once a second

 private:
  void Lost(const StoreState& state);

  Below below_;
  OpenEvents lost_;
  OpenEvents restored_;
};

}  // namespace ffdc
