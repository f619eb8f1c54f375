// SPDX-License-Identifier: Apache-2.0
// store.lost, store.restored: this node cannot reach the store of captures. One event an outage. Not a
// Detector: no probe tells of it, but the agent's own shipper. Loop thread only.
#pragma once

#include "base/store_state.h"
#include "detect/open_events.h"

namespace ffdc {

class StoreEvents {
 public:
  StoreEvents(const DetectorWorld& world, EventSink sink)
      : lost_(world, sink, "store.lost", v1::X1),
        restored_(world, std::move(sink), "store.restored", v1::X1) {}

  void OnStore(const StoreState& state);
  void Tick();  // once a second

 private:
  void Lost(const StoreState& state);

  OpenEvents lost_;
  OpenEvents restored_;
};

}  // namespace ffdc
