/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bpf/nvme.bpf.c sends: an NVMe command that ended with a status. */
#ifndef FFDC_ABI_NVME_H
#define FFDC_ABI_NVME_H

#include "ffdc/abi/fault.h"

/* FFDC_FAULT_NVME_ERROR. Storm key: object = dev, detail = status. */
struct ffdc_nvme_error {
	struct ffdc_record_header header;
	__ffdc_u64 sector;
	__ffdc_u64 cgroup_id; /* as in struct ffdc_block_error */
	__ffdc_u32 cgroup_hierarchy;
	__ffdc_u32 dev; /* whole disk; of a path of a multipath disk, a number that user space does not know */
	__ffdc_u32 len_bytes;
	__ffdc_u32 controller; /* nvme<controller> */
	__ffdc_u16 status;     /* without the phase bit: code 0-7, code type 8-10, more 13, do not retry 14 */
	__ffdc_u8 op;	       /* REQ_OP_* */
	__ffdc_u8 retries;     /* so far */
	__ffdc_u8 pad[4];
	char disk[32]; /* "nvme0n1", "nvme0c0n1" of a path; ends with 0 unless it is longer */
};

FFDC_ABI_ASSERT(ffdc_nvme_error, 88);

#endif
