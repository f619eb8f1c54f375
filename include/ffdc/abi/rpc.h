/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* FFDC_FAULT_RPC, of bpf/sunrpc.bpf.c. Storm control counts by transport and status. */
#ifndef FFDC_ABI_RPC_H
#define FFDC_ABI_RPC_H

#include "ffdc/abi/fault.h"

#define FFDC_RPC_ADDRESS_LEN 28 /* of struct sockaddr_in6 */
#define FFDC_RPC_SERVER_LEN 64

enum ffdc_rpc_failure {
	FFDC_RPC_TIMEOUT = 1, /* a major timeout: every retransmission of a call went unanswered */
	FFDC_RPC_CONNECT = 2, /* no connection to the server */
};

struct ffdc_rpc_fault {
	struct ffdc_record_header header;
	__ffdc_u32 failure; /* enum ffdc_rpc_failure */
	__ffdc_u32 status;  /* errno: 110, 111, ... */
	__ffdc_u32 program; /* 100003: NFS */
	__ffdc_u8 address[FFDC_RPC_ADDRESS_LEN]; /* the server's struct sockaddr */
	char server[FFDC_RPC_SERVER_LEN];	 /* as it was mounted; cut off if longer */
};

FFDC_ABI_ASSERT(ffdc_rpc_fault, 120);

#endif
