/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where the connections of network block devices lead (bpf/nbd.bpf.c). */
#ifndef FFDC_ABI_NBD_H
#define FFDC_ABI_NBD_H

#include "ffdc/abi/socket.h"

/*
 * As many as there can be watched endpoints. The agent takes out what was of a device
 * that is given back.
 */
#define FFDC_NBD_MAX_REMOTES 2048

/* Key of the map nbd_remotes; its values are of type ffdc_endpoint_key. */
struct ffdc_nbd_key {
	__ffdc_u32 device;     /* 3: nbd3 */
	__ffdc_u32 connection; /* of this device, from 0 */
};

FFDC_ABI_ASSERT(ffdc_nbd_key, 8);

#endif
