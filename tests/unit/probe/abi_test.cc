// SPDX-License-Identifier: Apache-2.0
// The structs that kernel and agent share have the same layout on both sides:
// the compiler's here, the BPF object's own BTF there.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "ffdc/abi/bio_flow.h"
#include "ffdc/abi/block_state.h"
#include "ffdc/abi/fault.h"
#include "ffdc/abi/nbd.h"
#include "ffdc/abi/nvme.h"
#include "ffdc/abi/scsi.h"
#include "ffdc/abi/socket.h"
#include "ffdc/abi/task.h"

// The generated headers need the types above.
#include "block_bio.skel.h"
#include "block_io.skel.h"
#include "nbd.skel.h"
#include "nvme.skel.h"
#include "requeue.skel.h"
#include "scsi.skel.h"
#include "sockets.skel.h"
#include "task_hung.skel.h"

namespace ffdc {
namespace {

struct Layout {
  size_t size = 0;
  std::map<std::string, size_t> offsets;
};

#define FFDC_LAYOUT(type, ...)      \
  {                                 \
#type, {                        \
      sizeof(type), { __VA_ARGS__ } \
    }                               \
  }
#define FFDC_FIELD(type, field) \
  { #field, offsetof(type, field) }

const std::map<std::string, Layout>& Expected() {
  static const std::map<std::string, Layout> layouts = {
      FFDC_LAYOUT(ffdc_io_record, FFDC_FIELD(ffdc_io_record, complete_ns),
                  FFDC_FIELD(ffdc_io_record, latency_ns), FFDC_FIELD(ffdc_io_record, sector_op),
                  FFDC_FIELD(ffdc_io_record, dev), FFDC_FIELD(ffdc_io_record, len_bytes)),
      FFDC_LAYOUT(ffdc_record_header, FFDC_FIELD(ffdc_record_header, kind),
                  FFDC_FIELD(ffdc_record_header, size_bytes), FFDC_FIELD(ffdc_record_header, time_ns)),
      FFDC_LAYOUT(ffdc_block_error, FFDC_FIELD(ffdc_block_error, header),
                  FFDC_FIELD(ffdc_block_error, sector), FFDC_FIELD(ffdc_block_error, latency_ns),
                  FFDC_FIELD(ffdc_block_error, cgroup_id), FFDC_FIELD(ffdc_block_error, total),
                  FFDC_FIELD(ffdc_block_error, cgroup_hierarchy), FFDC_FIELD(ffdc_block_error, dev),
                  FFDC_FIELD(ffdc_block_error, part_dev), FFDC_FIELD(ffdc_block_error, len_bytes),
                  FFDC_FIELD(ffdc_block_error, rq_flags), FFDC_FIELD(ffdc_block_error, op),
                  FFDC_FIELD(ffdc_block_error, status), FFDC_FIELD(ffdc_block_error, flags)),
      FFDC_LAYOUT(ffdc_storm_key, FFDC_FIELD(ffdc_storm_key, dev), FFDC_FIELD(ffdc_storm_key, op),
                  FFDC_FIELD(ffdc_storm_key, status), FFDC_FIELD(ffdc_storm_key, source)),
      FFDC_LAYOUT(ffdc_storm_entry, FFDC_FIELD(ffdc_storm_entry, total),
                  FFDC_FIELD(ffdc_storm_entry, suppressed), FFDC_FIELD(ffdc_storm_entry, last_ns),
                  FFDC_FIELD(ffdc_storm_entry, refill_ns), FFDC_FIELD(ffdc_storm_entry, tokens)),
      FFDC_LAYOUT(ffdc_device_filter, FFDC_FIELD(ffdc_device_filter, flags),
                  FFDC_FIELD(ffdc_device_filter, slot), FFDC_FIELD(ffdc_device_filter, since_ns)),
      FFDC_LAYOUT(ffdc_histogram, FFDC_FIELD(ffdc_histogram, count)),
      FFDC_LAYOUT(ffdc_block_control, FFDC_FIELD(ffdc_block_control, epoch_key),
                  FFDC_FIELD(ffdc_block_control, active), FFDC_FIELD(ffdc_block_control, armed),
                  FFDC_FIELD(ffdc_block_control, frozen_ns), FFDC_FIELD(ffdc_block_control, pad)),
      FFDC_LAYOUT(ffdc_block_counters, FFDC_FIELD(ffdc_block_counters, sent),
                  FFDC_FIELD(ffdc_block_counters, dropped), FFDC_FIELD(ffdc_block_counters, filtered),
                  FFDC_FIELD(ffdc_block_counters, overflow),
                  FFDC_FIELD(ffdc_block_counters, overflow_refill_ns),
                  FFDC_FIELD(ffdc_block_counters, overflow_tokens), FFDC_FIELD(ffdc_block_counters, pad)),
      FFDC_LAYOUT(ffdc_block_ring, FFDC_FIELD(ffdc_block_ring, written), FFDC_FIELD(ffdc_block_ring, base),
                  FFDC_FIELD(ffdc_block_ring, mask)),
      FFDC_LAYOUT(ffdc_block_cpu, FFDC_FIELD(ffdc_block_cpu, rings), FFDC_FIELD(ffdc_block_cpu, untimed),
                  FFDC_FIELD(ffdc_block_cpu, pad)),
      FFDC_LAYOUT(ffdc_block_state, FFDC_FIELD(ffdc_block_state, control),
                  FFDC_FIELD(ffdc_block_state, counters), FFDC_FIELD(ffdc_block_state, cpus),
                  FFDC_FIELD(ffdc_block_state, queues)),
  };
  return layouts;
}

// Of the programs that only failures reach.
const std::map<std::string, Layout>& ExpectedOfFaults() {
  static const std::map<std::string, Layout> layouts = {
      FFDC_LAYOUT(ffdc_record_header, FFDC_FIELD(ffdc_record_header, kind),
                  FFDC_FIELD(ffdc_record_header, size_bytes), FFDC_FIELD(ffdc_record_header, time_ns)),
      FFDC_LAYOUT(ffdc_fault_key, FFDC_FIELD(ffdc_fault_key, object), FFDC_FIELD(ffdc_fault_key, kind),
                  FFDC_FIELD(ffdc_fault_key, detail)),
      FFDC_LAYOUT(ffdc_fault_entry, FFDC_FIELD(ffdc_fault_entry, total),
                  FFDC_FIELD(ffdc_fault_entry, suppressed), FFDC_FIELD(ffdc_fault_entry, last_ns),
                  FFDC_FIELD(ffdc_fault_entry, refill_ns), FFDC_FIELD(ffdc_fault_entry, tokens)),
      FFDC_LAYOUT(ffdc_scsi_error, FFDC_FIELD(ffdc_scsi_error, header), FFDC_FIELD(ffdc_scsi_error, sector),
                  FFDC_FIELD(ffdc_scsi_error, waited_ns), FFDC_FIELD(ffdc_scsi_error, cgroup_id),
                  FFDC_FIELD(ffdc_scsi_error, cgroup_hierarchy), FFDC_FIELD(ffdc_scsi_error, dev),
                  FFDC_FIELD(ffdc_scsi_error, len_bytes), FFDC_FIELD(ffdc_scsi_error, retries),
                  FFDC_FIELD(ffdc_scsi_error, allowed), FFDC_FIELD(ffdc_scsi_error, op),
                  FFDC_FIELD(ffdc_scsi_error, opcode), FFDC_FIELD(ffdc_scsi_error, host),
                  FFDC_FIELD(ffdc_scsi_error, status), FFDC_FIELD(ffdc_scsi_error, response),
                  FFDC_FIELD(ffdc_scsi_error, key), FFDC_FIELD(ffdc_scsi_error, asc),
                  FFDC_FIELD(ffdc_scsi_error, ascq)),
      FFDC_LAYOUT(ffdc_nvme_error, FFDC_FIELD(ffdc_nvme_error, header), FFDC_FIELD(ffdc_nvme_error, sector),
                  FFDC_FIELD(ffdc_nvme_error, cgroup_id), FFDC_FIELD(ffdc_nvme_error, cgroup_hierarchy),
                  FFDC_FIELD(ffdc_nvme_error, dev), FFDC_FIELD(ffdc_nvme_error, len_bytes),
                  FFDC_FIELD(ffdc_nvme_error, controller), FFDC_FIELD(ffdc_nvme_error, status),
                  FFDC_FIELD(ffdc_nvme_error, op), FFDC_FIELD(ffdc_nvme_error, retries),
                  FFDC_FIELD(ffdc_nvme_error, pad), FFDC_FIELD(ffdc_nvme_error, disk)),
      FFDC_LAYOUT(ffdc_endpoint_key, FFDC_FIELD(ffdc_endpoint_key, netns),
                  FFDC_FIELD(ffdc_endpoint_key, family), FFDC_FIELD(ffdc_endpoint_key, port),
                  FFDC_FIELD(ffdc_endpoint_key, address)),
      FFDC_LAYOUT(ffdc_nbd_key, FFDC_FIELD(ffdc_nbd_key, device), FFDC_FIELD(ffdc_nbd_key, connection)),
      FFDC_LAYOUT(ffdc_socket_failure, FFDC_FIELD(ffdc_socket_failure, header),
                  FFDC_FIELD(ffdc_socket_failure, remote), FFDC_FIELD(ffdc_socket_failure, local_port),
                  FFDC_FIELD(ffdc_socket_failure, error), FFDC_FIELD(ffdc_socket_failure, what),
                  FFDC_FIELD(ffdc_socket_failure, state), FFDC_FIELD(ffdc_socket_failure, retransmits)),
  };
  return layouts;
}

std::map<std::string, Layout> LayoutsOf(const void* elf, size_t size) {
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  const std::unique_ptr<bpf_object, Close> object(bpf_object__open_mem(elf, size, nullptr));
  std::map<std::string, Layout> layouts;
  if (!object) return layouts;
  const btf* types = bpf_object__btf(object.get());
  for (uint32_t id = 1; types != nullptr && id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    const std::string name = btf__name_by_offset(types, type->name_off);
    if (!btf_is_struct(type) || !name.starts_with("ffdc_")) continue;
    Layout& layout = layouts[name];
    layout.size = type->size;
    const auto* members = btf_members(type);
    for (uint32_t i = 0; i < btf_vlen(type); ++i) {
      layout.offsets[btf__name_by_offset(types, members[i].name_off)] = btf_member_bit_offset(type, i) / 8;
    }
  }
  return layouts;
}

void ExpectSameLayouts(const std::map<std::string, Layout>& kernel,
                       const std::map<std::string, Layout>& agent = Expected()) {
  for (const auto& [name, layout] : kernel) {
    const auto expected = agent.find(name);
    ASSERT_NE(expected, agent.end()) << name << " is shared, and not checked here";
    EXPECT_EQ(layout.size, expected->second.size) << name;
    EXPECT_EQ(layout.offsets, expected->second.offsets) << name;
  }
}

// Shared by one program alone: takes it out of `kernel`.
void ExpectOwn(std::map<std::string, Layout>& kernel, const std::string& name) {
  static const std::map<std::string, Layout> own = {
      FFDC_LAYOUT(ffdc_bio_flow, FFDC_FIELD(ffdc_bio_flow, queued_ns), FFDC_FIELD(ffdc_bio_flow, cgroup_id),
                  FFDC_FIELD(ffdc_bio_flow, cgroup_hierarchy), FFDC_FIELD(ffdc_bio_flow, pad),
                  FFDC_FIELD(ffdc_bio_flow, completed_ns), FFDC_FIELD(ffdc_bio_flow, completed)),
      FFDC_LAYOUT(ffdc_task_hung, FFDC_FIELD(ffdc_task_hung, header), FFDC_FIELD(ffdc_task_hung, start_ns),
                  FFDC_FIELD(ffdc_task_hung, switches), FFDC_FIELD(ffdc_task_hung, cgroup_id),
                  FFDC_FIELD(ffdc_task_hung, pid), FFDC_FIELD(ffdc_task_hung, tgid),
                  FFDC_FIELD(ffdc_task_hung, dev), FFDC_FIELD(ffdc_task_hung, cgroup_hierarchy),
                  FFDC_FIELD(ffdc_task_hung, comm)),
  };
  const auto found = kernel.extract(name);
  ASSERT_FALSE(found.empty()) << name << " is not in the object's BTF";
  EXPECT_EQ(found.mapped().size, own.at(name).size) << name;
  EXPECT_EQ(found.mapped().offsets, own.at(name).offsets) << name;
}

TEST(Abi, BlockIoSharesEveryLayout) {
  size_t size = 0;
  const void* elf = block_io_bpf::elf_bytes(&size);
  const auto layouts = LayoutsOf(elf, size);
  ExpectSameLayouts(layouts);
  for (const auto& [name, layout] : Expected()) {
    EXPECT_TRUE(layouts.contains(name)) << name << " is not in the object's BTF";
  }
}

TEST(Abi, BlockBioSharesTheSameState) {
  size_t size = 0;
  const void* elf = block_bio_bpf::elf_bytes(&size);
  auto layouts = LayoutsOf(elf, size);
  ExpectOwn(layouts, "ffdc_bio_flow");
  ExpectSameLayouts(layouts);
  // It maps block_io's .bss, which holds this and nothing else.
  EXPECT_TRUE(layouts.contains("ffdc_block_state"));
  EXPECT_EQ(sizeof(block_bio_bpf::block_bio_bpf__bss), sizeof(ffdc_block_state));
  EXPECT_EQ(sizeof(block_io_bpf::block_io_bpf__bss), sizeof(ffdc_block_state));
}

TEST(Abi, FaultProgramsShareTheirRecordsAndCounts) {
  struct Object {
    const void* (*elf)(size_t*);
    std::string record;
  };
  for (const auto& [elf, record] : {Object{scsi_bpf::elf_bytes, "ffdc_scsi_error"},
                                    {nvme_bpf::elf_bytes, "ffdc_nvme_error"},
                                    {requeue_bpf::elf_bytes, "ffdc_fault_key"},
                                    {sockets_bpf::elf_bytes, "ffdc_socket_failure"},
                                    {nbd_bpf::elf_bytes, "ffdc_nbd_key"}}) {
    size_t size = 0;
    const void* bytes = elf(&size);
    const auto layouts = LayoutsOf(bytes, size);
    ExpectSameLayouts(layouts, ExpectedOfFaults());
    EXPECT_TRUE(layouts.contains(record)) << record;
    EXPECT_TRUE(layouts.contains("ffdc_fault_entry"));
  }
}

TEST(Abi, TaskHung) {
  size_t size = 0;
  const void* elf = task_hung_bpf::elf_bytes(&size);
  auto layouts = LayoutsOf(elf, size);
  ExpectOwn(layouts, "ffdc_task_hung");
}

}  // namespace
}  // namespace ffdc
