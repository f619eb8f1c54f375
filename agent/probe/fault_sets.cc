// SPDX-License-Identifier: Apache-2.0
// Which programs there are. A new one is a line here and one in bpf/CMakeLists.txt.
#include "fs_error.skel.h"
#include "nbd.skel.h"
#include "nvme.skel.h"
#include "probe/fault_probes.h"
#include "ras.skel.h"
#include "requeue.skel.h"
#include "scsi.skel.h"
#include "sockets.skel.h"
#include "sunrpc.skel.h"
#include "task_hung.skel.h"

namespace ffdc {

std::vector<FaultProgramSet> AllFaultSets() {
  return {
      {"scsi", scsi_bpf::elf_bytes, "scsi_mod"},   {"nvme", nvme_bpf::elf_bytes, "nvme_core"},
      {"requeue", requeue_bpf::elf_bytes, ""},     {"sunrpc", sunrpc_bpf::elf_bytes, "sunrpc"},
      {"sockets", sockets_bpf::elf_bytes, ""},     {"fs_error", fs_error_bpf::elf_bytes, "ext4,xfs"},
      {"task_hung", task_hung_bpf::elf_bytes, ""}, {"ras", ras_bpf::elf_bytes, ""},
      {"nbd", nbd_bpf::elf_bytes, "nbd"},
  };
}

}  // namespace ffdc
