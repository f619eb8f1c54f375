// SPDX-License-Identifier: Apache-2.0
// Which programs there are. A new one is a line here and one in bpf/CMakeLists.txt.
#include "probe/bpf_support.h"
#include "probe/fault_probes.h"

// The generated headers need the types above.
#include "task_hung.skel.h"

namespace ffdc {

std::vector<FaultProgramSet> AllFaultSets() {
  return {
      {"task_hung", task_hung_bpf::elf_bytes, ""},
  };
}

}  // namespace ffdc
