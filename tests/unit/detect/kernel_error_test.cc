// SPDX-License-Identifier: Apache-2.0
#include "detect/machine_messages.h"
#include "ffdc/abi/ras.h"
#include "node_fixture.h"

namespace ffdc {
namespace {

struct MachineLine {
  const char* text;
  const char* what;  // empty: nothing
  bool hardware = false;
  bool corrected = false;
};

class MachineMessages : public testing::TestWithParam<MachineLine> {};

TEST_P(MachineMessages, AreToldFromTheRest) {
  const MachineLine& line = GetParam();
  const auto parsed = ParseMachineMessage(line.text);
  ASSERT_EQ(parsed.has_value(), *line.what != '\0') << line.text;
  if (!parsed) return;
  EXPECT_EQ(parsed->what, line.what);
  EXPECT_EQ(parsed->kind == MachineMessage::Kind::kHardware, line.hardware);
  EXPECT_EQ(parsed->corrected, line.corrected);
}

INSTANTIATE_TEST_SUITE_P(
    Real, MachineMessages,
    testing::Values(
        MachineLine{"Kernel panic - not syncing: sysrq triggered crash", "panic"},
        MachineLine{"watchdog: BUG: soft lockup - CPU#0 stuck for 4s! [bpftool:412]", "lockup"},
        MachineLine{"watchdog: Watchdog detected hard LOCKUP on cpu 3", "lockup"},
        MachineLine{"BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 43s!", "lockup"},
        MachineLine{"rcu: INFO: rcu_preempt self-detected stall on CPU", "rcu_stall"},
        MachineLine{"rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "rcu_stall"},
        MachineLine{
            "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-.... } 6 jiffies s: 65",
            "rcu_stall"},
        MachineLine{"BUG: kernel NULL pointer dereference, address: 0000000000000000", "oops"},
        MachineLine{"Oops: 0002 [#1] PREEMPT SMP NOPTI", "oops"},
        MachineLine{"general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
                    "oops"},
        MachineLine{"kernel BUG at fs/inode.c:611!", "oops"},
        MachineLine{"Internal error: Oops: 96000004 [#1] SMP", "oops"},
        MachineLine{"BUG: Bad page state in process dd  pfn:12345", "oops"},
        MachineLine{"traps: a.out[123] general protection fault ip:401 sp:7ff error:0 in a.out[401000+1000]",
                    ""},
        MachineLine{"a.out[123]: segfault at 0 ip 0 sp 0 error 14", ""},
        MachineLine{"INFO: task dd:123 blocked for more than 120 seconds.", ""},
        MachineLine{"rcu: Hierarchical RCU implementation.", ""},
        MachineLine{"WARNING: CPU: 0 PID: 1 at fs/inode.c:1", ""},
        MachineLine{"EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0", "memory", true,
                    true},
        MachineLine{"EDAC MC1: 2 UE memory scrubbing error on unknown memory", "memory", true, false},
        MachineLine{"EDAC MC: Ver: 3.0.0", ""},
        MachineLine{"EDAC MC0: Giving out device to module skx_edac", ""},
        MachineLine{"Memory failure: 0x12345: recovery action for dirty LRU page: Recovered", "memory", true,
                    false},
        MachineLine{"mce: [Hardware Error]: Machine check events logged", "cpu", true, true},
        MachineLine{"mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 3: be00000000800400",
                    "cpu", true, false},
        MachineLine{"{1}[Hardware Error]: event severity: fatal", "cpu", true, false},
        MachineLine{"{1}[Hardware Error]: event severity: corrected", "cpu", true, true},
        MachineLine{"mce: CPU0 supports 32 MCE banks", ""},
        MachineLine{"pcieport 0000:00:1c.0: AER: Corrected error received: 0000:01:00.0", "pcie", true, true},
        MachineLine{
            "pcieport 0000:00:1c.0: AER: Multiple Uncorrected (Non-Fatal) error received: 0000:01:00.0",
            "pcie", true, false},
        MachineLine{
            "nvme 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
            "pcie", true, true},
        MachineLine{"nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer",
                    "pcie", true, false},
        MachineLine{"pcieport 0000:00:1c.0: AER: enabled with IRQ 122", ""}, MachineLine{"", ""}));

class KernelErrorTest : public NodeFixture {
 protected:
  KernelErrorTest() {
    kinds_ = {"kernel.error", "hardware.error"};
    Start();
  }
};

TEST_F(KernelErrorTest, ALockupIsOneEventOfTheNodeHoweverOftenItIsTold) {
  for (int i = 0; i < 100; ++i) Log("watchdog: BUG: soft lockup - CPU#0 stuck for 4s! [bpftool:412]");
  ASSERT_EQ(events_.size(), 1u);
  const v1::Event& event = events_[0].first;
  EXPECT_EQ(event.kind(), "kernel.error");
  EXPECT_EQ(event.domain(), v1::X2);
  EXPECT_EQ(event.severity(), v1::CRITICAL);
  EXPECT_EQ(event.subject().id(), "node:node-a");
  EXPECT_EQ(event.summary(), "watchdog: BUG: soft lockup - CPU#0 stuck for 4s! [bpftool:412]");
  Tick(62);
  EXPECT_EQ(events_.back().second, EventPhase::kEnded);
  EXPECT_EQ(events_.back().first.count(), 100u);
}

TEST_F(KernelErrorTest, ClassesAreEventsOfTheirOwn) {
  Log("BUG: kernel NULL pointer dereference, address: 0000000000000000");
  Log("Oops: 0002 [#1] PREEMPT SMP");
  Log("Kernel panic - not syncing: Fatal exception");
  EXPECT_EQ(Count(EventPhase::kOpened), 2u);
}

TEST_F(KernelErrorTest, WhatAProcessWritesToTheLogIsNothing) {
  Log("Kernel panic - not syncing: joke", 1);
  Log("EDAC MC0: 1 UE memory read error on x", 3);
  EXPECT_TRUE(events_.empty());
}

TEST_F(KernelErrorTest, AnRcuStallIsToldByItsTracepointToo) {
  ffdc_rcu_stall record{};
  strcpy(record.flavour, "rcu_preempt");
  strcpy(record.message, "StallDetected");
  Send(record, FFDC_FAULT_RCU_STALL);
  Log("rcu: INFO: rcu_preempt self-detected stall on CPU");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.summary(), "RCU stall: rcu_preempt StallDetected");
}

TEST_F(KernelErrorTest, ACorrectedErrorWarnsAndAnUncorrectedOneIsCritical) {
  ffdc_ras_error record{};
  record.source = FFDC_RAS_MEMORY;
  record.severity = FFDC_RAS_CORRECTED;
  record.count = 3;
  strcpy(record.label, "DIMM_A1");
  strcpy(record.message, "memory read error");
  Send(record, FFDC_FAULT_RAS);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].first.kind(), "hardware.error");
  EXPECT_EQ(events_[0].first.severity(), v1::WARNING);
  EXPECT_EQ(events_[0].first.count(), 3u);
  EXPECT_EQ(events_[0].first.subject().id(), "hardware:memory@node-a");
  EXPECT_TRUE(IsRelated(events_[0].first, "node:node-a"));
  EXPECT_EQ(events_[0].first.summary(), "memory error at DIMM_A1: memory read error");
  record.severity = FFDC_RAS_UNCORRECTED;
  strcpy(record.label, "DIMM_B1");
  Send(record, FFDC_FAULT_RAS);
  Tick();
  EXPECT_EQ(events_.back().first.severity(), v1::CRITICAL);
  EXPECT_EQ(events_.back().first.summary(), "memory error at DIMM_B1: memory read error");
  EXPECT_EQ(Count(EventPhase::kOpened), 1u);
}

}  // namespace
}  // namespace ffdc
