// SPDX-License-Identifier: Apache-2.0
// The BPF programs that only failures reach: one bpf/<name>.bpf.c a set, made with
// bpf/include/fault.bpf.h. Each program is attached if this kernel has its hook; a
// module that is loaded later brings its hooks then. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ffdc/abi/fault.h"
#include "probe/source.h"

namespace ffdc {

struct FaultProgramSet {
  std::string name;  // "scsi"
  // Of the generated skeleton: its BPF object file.
  const void* (*object)(size_t* size_bytes);
  // Where its hooks live: "scsi_mod"; empty: in the kernel itself. Several by commas: its
  // programs come with whichever of them is loaded.
  std::string modules;
};

// How often one (kind, object, detail) failed since the agent started.
using FaultCount = std::pair<ffdc_fault_key, ffdc_fault_entry>;

class FaultProbes : public ProbeSource {
 public:
  using RecordSink = std::function<void(const ffdc_record_header&)>;

  // Never fails: what cannot be loaded is inactive in Status(), with the reason.
  static std::unique_ptr<FaultProbes> Start(std::vector<FaultProgramSet> sets, RecordSink sink);
  // A module was loaded or is gone: sets with a hook missing try again at the next Poll().
  virtual void ModulesChanged() = 0;
  [[nodiscard]] virtual std::vector<FaultCount> Counts() const = 0;
  // A map of one set, for whoever fills it; -1: the set is not loaded. Ask each time: a set
  // that is loaded again has new, empty maps.
  [[nodiscard]] virtual int MapFd(const std::string& set, const std::string& map) const = 0;
};

// Every set of this agent, in bpf/ (fault_sets.cc).
std::vector<FaultProgramSet> AllFaultSets();

}  // namespace ffdc
