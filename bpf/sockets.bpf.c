// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections to watched endpoints that fail. Nothing here runs while packets
 * arrive, and the table is looked at only once a connection is in trouble.
 */
#include "fault.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "ffdc/abi/socket.h"
#include "remote.bpf.h"

#define EPIPE 32
#define ECONNRESET 104
#define ECONNREFUSED 111

/* Filled by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ffdc_endpoint_key);
	__type(value, __u16);
} watched_endpoints SEC(".maps");

static __always_inline __u64 endpoint_hash(const struct ffdc_endpoint_key *key)
{
	__u64 hash = ((__u64)key->family << 16 | key->port) * 0x9e3779b97f4a7c15ULL;
	int i;

#pragma unroll
	for (i = 0; i < (int)sizeof(key->address); i++)
		hash = (hash ^ key->address[i]) * 0x100000001b3ULL;
	return hash;
}

/* Of a connection that the far end opened, key is left without its port, as the map has it. */
static __always_inline bool is_watched(const struct sock *sk, struct ffdc_endpoint_key *key)
{
	const __u16 *local_port;

	if (!remote_of(sk, key))
		return false;
	if (bpf_map_lookup_elem(&watched_endpoints, key))
		return true;
	key->port = 0;
	local_port = bpf_map_lookup_elem(&watched_endpoints, key);
	return local_port && *local_port == BPF_CORE_READ(sk, __sk_common.skc_num);
}

/* Not inlined, so that the object's BTF has the record: tests/unit/probe/abi_test.cc. */
static __noinline void fill(struct ffdc_socket_failure *failure, const struct sock *sk, __u8 what,
			    __u16 error, __u16 retransmits)
{
	failure->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	failure->error = error;
	failure->what = what;
	failure->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	failure->retransmits = retransmits;
}

static __always_inline void report(const struct sock *sk, __u8 what, __u16 error, __u16 retransmits)
{
	const __u64 now = bpf_ktime_get_ns();
	struct ffdc_endpoint_key key;
	struct ffdc_socket_failure *failure;

	if (!is_watched(sk, &key))
		return;
	if (!fault_admitted(FFDC_FAULT_SOCKET, endpoint_hash(&key), error | (__u32)what << 16, now))
		return;
	failure = fault_reserve(sizeof(*failure), FFDC_FAULT_SOCKET, now);
	if (!failure)
		return;
	failure->remote = key;
	fill(failure, sk, what, error, retransmits);
	fault_submit(failure);
}

/* "net: sock: add trace for socket errors" (5.14) */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(on_socket_error, const struct sock *sk)
{
	const int error = BPF_CORE_READ(sk, sk_err);

	/* 0: a message on the error queue (a timestamp, a zero-copy completion), no failure. */
	if (error > 0)
		report(sk, FFDC_SOCKET_ERROR, (__u16)error, 0);
	return 0;
}

/*
 * Only timeouts in a row: fast retransmits and tail loss probes leave icsk_retransmits
 * at 0, and whatever is acknowledged sets it back to 0.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, const struct sock *sk)
{
	const __u8 retransmits = BPF_CORE_READ((const struct inet_connection_sock *)sk, icsk_retransmits);

	if (retransmits >= FFDC_SOCKET_MIN_RETRANSMITS)
		report(sk, FFDC_SOCKET_RETRANSMIT, 0, retransmits);
	return 0;
}

/*
 * inet_sk_error_report says the same, and leaves out resets of sockets that nobody has
 * any more (a close crossed what was under way): this is for kernels before it.
 */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_reset, struct sock *sk)
{
	__u8 state;

	if (bpf_core_type_exists(btf_trace_inet_sk_error_report))
		return 0;
	if (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1ul << SOCK_DEAD))
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	/* as tcp_reset() does */
	if (state == TCP_SYN_SENT)
		report(sk, FFDC_SOCKET_ERROR, ECONNREFUSED, 0);
	else if (state == TCP_CLOSE_WAIT)
		report(sk, FFDC_SOCKET_ERROR, EPIPE, 0);
	else if (state != TCP_CLOSE)
		report(sk, FFDC_SOCKET_ERROR, ECONNRESET, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
