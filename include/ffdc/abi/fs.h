/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a filesystem on a block device says of its own errors. */
#ifndef FFDC_ABI_FS_H
#define FFDC_ABI_FS_H

#include "ffdc/abi/fault.h"

enum ffdc_fs_flags {
	FFDC_FS_SHUTDOWN = 1 << 0, /* it was shut down: nothing is written any more */
	FFDC_FS_BLOCKDEV = 1 << 1, /* writeback of the device's own pages: metadata, or a raw write */
};

/* FFDC_FAULT_FS_ERROR, FFDC_FAULT_WRITEBACK; storm control's object is dev, its detail line or error. */
struct ffdc_fs_error {
	struct ffdc_record_header header;
	__ffdc_u64 inode; /* 0: none is named */
	__ffdc_u64 cgroup_id; /* of the task that found it */
	__ffdc_u32 dev; /* st_dev of the filesystem; with FFDC_FS_BLOCKDEV the device */
	__ffdc_u32 error; /* errno; 0: none is named */
	__ffdc_u32 line; /* in the filesystem's source */
	__ffdc_u32 pid; /* thread id of the task */
	__ffdc_u32 flags; /* enum ffdc_fs_flags */
	__ffdc_u32 pad;
	char comm[16];
	char fs_type[16]; /* cut, ends with 0, as are those below */
	char function[48]; /* of the filesystem's source; empty: none is named */
};

FFDC_ABI_ASSERT(ffdc_fs_error, 136);

#endif
