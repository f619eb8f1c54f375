// SPDX-License-Identifier: Apache-2.0
// Which programs there are. A new one is a line here and one in bpf/CMakeLists.txt.
#include "probe/fault_probes.h"

#include "sockets.skel.h"

namespace ffdc {

std::vector<FaultProgramSet> AllFaultSets() {
  return {
      {"sockets", sockets_bpf__elf_bytes, ""},
  };
}

}  // namespace ffdc
