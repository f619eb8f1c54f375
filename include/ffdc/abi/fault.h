/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the programs that only failures reach share with the agent: the keys that
 * storm control counts by. Their records lie in the other headers of this folder;
 * each starts with struct ffdc_record_header and has a kind of its own below.
 */
#ifndef FFDC_ABI_FAULT_H
#define FFDC_ABI_FAULT_H

#include "ffdc/abi/block.h"

/* enum ffdc_record_kind goes on here. */
enum ffdc_fault_kind {
	FFDC_FAULT_SCSI_TIMEOUT = 16, /* scsi.h: a command timed out */
	FFDC_FAULT_SCSI_ERROR = 17,   /* scsi.h: a command ended with an error, retried or not */
	FFDC_FAULT_REQUEUE = 18,      /* an answered request is tried again: counted (object = dev), not sent */
	FFDC_FAULT_NVME_ERROR = 19,   /* nvme.h: a command ended with a status */
	FFDC_FAULT_NVME_TIMEOUT = 20, /* nvme.h */
	FFDC_FAULT_SOCKET = 24,	      /* socket.h: a connection failed, was reset, or retransmits */
	FFDC_FAULT_RPC = 25,	      /* rpc.h: an RPC timed out or lost its connection */
	FFDC_FAULT_NBD_REMOTE = 26,   /* nbd.h: no failure; a header alone: nbd_remotes has changed */
	FFDC_FAULT_FS_ERROR = 32,     /* fs.h: a filesystem reported an error */
	FFDC_FAULT_WRITEBACK = 33,    /* fs.h: writeback failed (filemap_set_wb_err) */
	FFDC_FAULT_TASK_HUNG = 40,    /* task.h: khungtaskd */
	FFDC_FAULT_RAS = 41,	      /* ras.h: MCE, memory controller, PCIe AER */
	FFDC_FAULT_RCU_STALL = 42,    /* ras.h */
};

/* Storm control: one entry a (kind, object) that ever failed. */
struct ffdc_fault_key {
	__ffdc_u64 object; /* what failed, as the kind's header says: a dev, a connection, ... */
	__ffdc_u32 kind;   /* enum ffdc_fault_kind */
	__ffdc_u32 detail; /* tells failures of one object apart: a status, an error */
};

struct ffdc_fault_entry {
	__ffdc_u64 total;      /* exact */
	__ffdc_u64 suppressed; /* of these, not sent as a record */
	__ffdc_u64 last_ns;
	__ffdc_u64 refill_ns; /* token bucket: time of the last refill */
	__ffdc_u64 tokens;    /* token bucket: records that may still be sent */
};

/* Index into the counters of each program (map fault_counters). */
enum ffdc_fault_counter {
	FFDC_FAULT_SENT = 0,
	FFDC_FAULT_DROPPED = 1,	   /* ring buffer full */
	FFDC_FAULT_SUPPRESSED = 2, /* by storm control */
	FFDC_FAULT_COUNTERS = 4,
};

FFDC_ABI_ASSERT(ffdc_fault_key, 16);
FFDC_ABI_ASSERT(ffdc_fault_entry, 40);

#endif
