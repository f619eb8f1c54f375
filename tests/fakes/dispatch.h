// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include "base/launcher.h"

namespace ffdc {

// As the event loop would: waits until a worker reports, but not for ever, and handles it.
inline void DispatchOnce(Launcher& launcher, int timeout_ms = 20) {
  pollfd ready{launcher.fd(), POLLIN, 0};
  poll(&ready, 1, timeout_ms);
  launcher.Dispatch();
}

}  // namespace ffdc
