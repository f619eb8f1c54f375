/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bpf/scsi.bpf.c sends: a SCSI command that timed out, or ended with an error. */
#ifndef FFDC_ABI_SCSI_H
#define FFDC_ABI_SCSI_H

#include "ffdc/abi/fault.h"

/* FFDC_FAULT_SCSI_TIMEOUT, FFDC_FAULT_SCSI_ERROR. Storm key: object = dev, detail as below. */
struct ffdc_scsi_error {
	struct ffdc_record_header header;
	__ffdc_u64 sector;
	__ffdc_u64 waited_ns; /* since the request was made, earlier tries included; 0: not timed */
	__ffdc_u64 cgroup_id; /* as in struct ffdc_block_error */
	__ffdc_u32 cgroup_hierarchy;
	__ffdc_u32 dev; /* whole disk */
	__ffdc_u32 len_bytes;
	__ffdc_u16 retries; /* so far */
	__ffdc_u16 allowed;
	__ffdc_u8 op;	    /* REQ_OP_* */
	__ffdc_u8 opcode;   /* of the command */
	__ffdc_u8 host;	    /* DID_* */
	__ffdc_u8 status;   /* SAM status */
	__ffdc_u8 response; /* response code of the sense data (0x70 to 0x73); 0: there is none */
	__ffdc_u8 key;
	__ffdc_u8 asc;
	__ffdc_u8 ascq;
};

/*
 * Tells apart what devices say: what the host adapter says, and the sense data or,
 * where there is none, the status. Of a timeout it is 0.
 */
#define FFDC_SCSI_SENSE 0x80000000u
#define FFDC_SCSI_SENSE_DETAIL(host, key, asc, ascq) \
	(FFDC_SCSI_SENSE | (__ffdc_u32)((host) & 0x7f) << 24 | (__ffdc_u32)(key) << 16 | \
	 (__ffdc_u32)(asc) << 8 | (ascq))
#define FFDC_SCSI_STATUS_DETAIL(host, status) \
	((__ffdc_u32)((host) & 0x7f) << 24 | (__ffdc_u32)(status) << 16)

FFDC_ABI_ASSERT(ffdc_scsi_error, 64);

#endif
