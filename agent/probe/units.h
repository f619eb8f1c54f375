// SPDX-License-Identifier: Apache-2.0
// The watched systemd units, as the manager tells of them over D-Bus. Every call is
// asynchronous: a bus that hangs holds nobody up. Loop thread only.
#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/observations.h"
#include "base/result.h"
#include "probe/source.h"

namespace ffdc {

struct BusDeleter {
  void operator()(sd_bus* p) const { sd_bus_close_unref(p); }
  void operator()(sd_bus_slot* p) const { sd_bus_slot_unref(p); }
};
using BusPtr = std::unique_ptr<sd_bus, BusDeleter>;
using BusSlotPtr = std::unique_ptr<sd_bus_slot, BusDeleter>;

class UnitSource : public ProbeSource {
 public:
  // A state without an active_state: the bus is lost, and what happens meanwhile is not seen.
  using Sink = std::function<void(const UnitState&)>;
  // A started connection to the bus of the manager.
  using Connect = std::function<Result<BusPtr>()>;

  // Never fails: inactive in Status(), with the reason; Poll() tries again.
  static std::unique_ptr<UnitSource> Start(std::vector<std::string> units, Sink sink);
  static std::unique_ptr<UnitSource> Start(std::vector<std::string> units, Sink sink, Connect connect);
};

}  // namespace ffdc
