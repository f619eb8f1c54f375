/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * When bios of device mapper devices came and went, by minor number. A bio that
 * such a device holds back (suspended, delayed, without a path) is in flight
 * nowhere: the last one that came, and that none went after, tells of it.
 *
 * No count of bios under way: a split makes more bios go than came, and a program
 * that is left out because it runs on that CPU already would be missed for ever.
 *
 * Only device mapper: md and NVMe multipath send the bio itself on to another
 * device, where it ends.
 */
#ifndef FFDC_ABI_BIO_FLOW_H
#define FFDC_ABI_BIO_FLOW_H

#include "ffdc/abi/block.h"

#define FFDC_BIO_FLOWS 4096 /* minor numbers above are not looked at */

struct ffdc_bio_flow {
	__ffdc_u64 queued_ns; /* CLOCK_MONOTONIC: the last that came; 0: none */
	__ffdc_u64 cgroup_id; /* who sent it, as in struct ffdc_block_error */
	__ffdc_u32 cgroup_hierarchy;
	__ffdc_u32 pad;
	__ffdc_u64 completed_ns; /* the last that went */
	__ffdc_u64 completed;	 /* so many went */
};

FFDC_ABI_ASSERT(ffdc_bio_flow, 40);

#endif
