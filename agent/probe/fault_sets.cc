// SPDX-License-Identifier: Apache-2.0
// Which programs there are. A new one is a line here and one in bpf/CMakeLists.txt.
#include "fs_error.skel.h"
#include "probe/fault_probes.h"
#include "ras.skel.h"

namespace ffdc {

std::vector<FaultProgramSet> AllFaultSets() {
  return {
      {"fs_error", fs_error_bpf::elf_bytes, "ext4,xfs"},
      {"ras", ras_bpf::elf_bytes, ""},
  };
}

}  // namespace ffdc
