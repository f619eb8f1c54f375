// SPDX-License-Identifier: Apache-2.0
// The kernel's log from now on (/dev/kmsg). Loop thread only.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "base/observations.h"
#include "probe/source.h"

namespace ffdc {

class KernelLogSource : public ProbeSource {
 public:
  using Sink = std::function<void(const KernelMessage&)>;

  // Never fails: inactive in Status(), with the reason.
  static std::unique_ptr<KernelLogSource> Start(Sink sink);
  // As above, from where `fd` stands: non-blocking, a record a read.
  static std::unique_ptr<KernelLogSource> Start(Fd fd, const Clock& clock, Sink sink);
};

}  // namespace ffdc
