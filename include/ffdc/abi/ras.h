/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the hardware, and RCU, say of errors of the machine itself. */
#ifndef FFDC_ABI_RAS_H
#define FFDC_ABI_RAS_H

#include "ffdc/abi/fault.h"

enum ffdc_ras_source {
	FFDC_RAS_MEMORY = 1, /* a memory controller (EDAC) */
	FFDC_RAS_PCIE = 2,   /* PCIe advanced error reporting */
	FFDC_RAS_MCE = 3,    /* x86 machine check */
};

enum ffdc_ras_severity {
	FFDC_RAS_CORRECTED = 0,
	FFDC_RAS_UNCORRECTED = 1,
	FFDC_RAS_FATAL = 2,
};

/* FFDC_FAULT_RAS; storm control's object is source, its detail severity. */
struct ffdc_ras_error {
	struct ffdc_record_header header;
	__ffdc_u64 status; /* the machine check's, or the AER status register */
	__ffdc_u32 source;
	__ffdc_u32 severity;
	__ffdc_u32 count;
	__ffdc_u32 bank;  /* of a machine check */
	char label[48];	  /* "CPU_SrcID#0_MC#0_Chan#1_DIMM#0", "0000:00:1c.0"; cut, ends with 0 */
	char message[48]; /* "memory read error" */
};

/* FFDC_FAULT_RCU_STALL; storm control's object is 0. */
struct ffdc_rcu_stall {
	struct ffdc_record_header header;
	char flavour[16]; /* "rcu_preempt" */
	char message[32]; /* "self-detected" */
};

FFDC_ABI_ASSERT(ffdc_ras_error, 136);
FFDC_ABI_ASSERT(ffdc_rcu_stall, 64);

#endif
