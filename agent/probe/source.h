// SPDX-License-Identifier: Apache-2.0
// A source of observations besides the block probes: netlink, uevents, the kernel
// log, D-Bus, sysfs, small BPF programs. daemon_probes.cc makes them and gives each
// the sink that its observations go to. All calls from the agent's loop thread;
// none may block.
#pragma once

#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ffdc/v1/manifest.pb.h"

namespace ffdc {

class ProbeSource {
 public:
  virtual ~ProbeSource() = default;
  // Readable when Consume() has work; -1: there is nothing to wait for. It does not change.
  [[nodiscard]] virtual int poll_fd() const { return -1; }
  virtual void Consume() {}
  // Twice a second: what must be asked for, and what could not be opened yet.
  virtual void Poll() {}
  // For `ffdcctl probe list`: what is inactive says why.
  [[nodiscard]] virtual std::vector<v1::Probe> Status() const = 0;
};
using ProbeSourcePtr = std::unique_ptr<ProbeSource>;

// The kernel counts and times the runs of all BPF programs while the descriptor is open.
Result<Fd> EnableProgramStats();

}  // namespace ffdc
