/* SPDX-License-Identifier: GPL-2.0-only */
/* The far end of a socket, as the agent names endpoints. */
#ifndef FFDC_REMOTE_BPF_H
#define FFDC_REMOTE_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "ffdc/abi/socket.h"

#define AF_INET 2
#define AF_INET6 10

/* Kernel clients speak IPv4 over AF_INET, programs often over a mapped AF_INET6. */
static __always_inline bool remote_of(const struct sock *sk, struct ffdc_endpoint_key *key)
{
	const __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__be32 address[4];

	__builtin_memset(key, 0, sizeof(*key));
	key->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key->family = family;
	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
		if (address[0] || address[1] || address[2] != bpf_htonl(0xffff)) {
			__builtin_memcpy(key->address, address, sizeof(address));
			return true;
		}
		key->family = AF_INET;
		__builtin_memcpy(key->address, &address[3], sizeof(address[3]));
		return true;
	}
	if (family == AF_INET) {
		const __be32 ipv4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(key->address, &ipv4, sizeof(ipv4));
		return true;
	}
	return false;
}

#endif
