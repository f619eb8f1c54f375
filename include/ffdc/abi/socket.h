/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Failures of connections to watched endpoints (bpf/sockets.bpf.c). */
#ifndef FFDC_ABI_SOCKET_H
#define FFDC_ABI_SOCKET_H

#include "ffdc/abi/fault.h"

/* Fewer timeouts in a row are everyday life of a busy network. */
#define FFDC_SOCKET_MIN_RETRANSMITS 3

/*
 * Key of the map watched_endpoints. Its value, a __u16, is 0 with a port; without one it is
 * the local port that connections from the address come to.
 */
struct ffdc_endpoint_key {
	__ffdc_u32 netns;      /* inode number of the network namespace it is reached from */
	__ffdc_u16 family;     /* 2 (AF_INET), 10 (AF_INET6); IPv4 in IPv6 is AF_INET */
	__ffdc_u16 port;       /* host byte order; 0: any, of those that come to the map's value */
	__ffdc_u8 address[16]; /* network byte order; IPv4: the first 4, the rest 0 */
};

enum ffdc_socket_what {
	FFDC_SOCKET_ERROR = 1,	    /* the connection has failed: error */
	FFDC_SOCKET_RETRANSMIT = 2, /* nothing is acknowledged: retransmits */
};

/*
 * FFDC_FAULT_SOCKET. Storm control counts by a hash of the endpoint, and by error and
 * what (error | what << 16).
 */
struct ffdc_socket_failure {
	struct ffdc_record_header header;
	struct ffdc_endpoint_key remote;
	__ffdc_u16 local_port;
	__ffdc_u16 error;	/* errno; 0 for a retransmit */
	__ffdc_u8 what;		/* enum ffdc_socket_what */
	__ffdc_u8 state;	/* TCP_ESTABLISHED (1), TCP_SYN_SENT (2), ...: at that moment */
	__ffdc_u16 retransmits; /* timeouts in a row */
};

FFDC_ABI_ASSERT(ffdc_endpoint_key, 24);
FFDC_ABI_ASSERT(ffdc_socket_failure, 48);

#endif
