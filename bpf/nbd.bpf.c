// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the connections of network block devices lead: the kernel shows it in no file,
 * and whoever made them may be gone. Learned from the requests that are sent. Each of
 * them comes here, so that a connection that is replaced is noticed; one that is known
 * costs a few reads and one look into the table.
 */
#include "fault.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "ffdc/abi/nbd.h"
#include "remote.bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FFDC_NBD_MAX_REMOTES);
	__type(key, struct ffdc_nbd_key);
	__type(value, struct ffdc_endpoint_key);
} nbd_remotes SEC(".maps");

/* What was read of it may be of a connection that is being replaced: the next request is right. */
static __always_inline bool connection_remote(struct nbd_cmd *cmd, __u32 connection,
					      struct ffdc_endpoint_key *remote)
{
	struct nbd_sock **socks = BPF_CORE_READ(cmd, nbd, config, socks);
	struct nbd_sock *nsock;

	if (bpf_probe_read_kernel(&nsock, sizeof(nsock), &socks[connection]))
		return false;
	/* A local socket, of a server on this machine or of one that speaks TLS for it, leads nowhere. */
	return remote_of(BPF_CORE_READ(nsock, sock, sk), remote) && remote->port;
}

static __always_inline bool same_remote(const struct ffdc_endpoint_key *a, const struct ffdc_endpoint_key *b)
{
	const __u32 *left = (const void *)a, *right = (const void *)b;
	__u32 differs = 0;
	int i;

#pragma unroll
	for (i = 0; i < (int)(sizeof(*a) / sizeof(*left)); i++)
		differs |= left[i] ^ right[i];
	return !differs;
}

/* The tracepoint's index is the device's. That of the connection is in the command, set just before. */
SEC("tp_btf/nbd_send_request")
int BPF_PROG(nbd_send_request, struct nbd_request *request, int index, struct request *rq)
{
	struct ffdc_endpoint_key remote, *known;
	struct ffdc_nbd_key key;
	struct nbd_cmd *cmd;
	void *record;

	if (!rq) /* a module's tracepoint may pass NULL, says 6.12 */
		return 0;
	cmd = (void *)rq + bpf_core_type_size(struct request);
	key.device = index;
	key.connection = BPF_CORE_READ(cmd, index);
	known = bpf_map_lookup_elem(&nbd_remotes, &key);
	if (!connection_remote(cmd, key.connection, &remote)) {
		if (known)
			bpf_map_delete_elem(&nbd_remotes, &key);
		return 0;
	}
	if (known && same_remote(known, &remote))
		return 0;
	if (bpf_map_update_elem(&nbd_remotes, &key, &remote, BPF_ANY)) {
		fault_count(FFDC_FAULT_DROPPED);
		return 0;
	}
	/* Lost if there is no room: the agent looks every few seconds anyway. */
	record = fault_reserve(sizeof(struct ffdc_record_header), FFDC_FAULT_NBD_REMOTE, bpf_ktime_get_ns());
	if (record)
		fault_submit(record);
	return 0;
}
