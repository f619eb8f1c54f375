// SPDX-License-Identifier: Apache-2.0
// The kernel's uevents (libudev's netlink monitor; udevd need not run): of block
// devices, controllers, sessions and modules. Loop thread only.
#pragma once

#include <functional>
#include <memory>

#include "base/observations.h"
#include "probe/source.h"

namespace ffdc {

class UeventSource : public ProbeSource {
 public:
  struct Sinks {
    std::function<void(const Uevent&)> event;
    std::function<void()> lost;  // the socket overflowed: look at what there is instead
  };
  // Never fails: inactive in Status(), with the reason.
  static std::unique_ptr<UeventSource> Start(Sinks sinks);
};

}  // namespace ffdc
