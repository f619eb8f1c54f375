// SPDX-License-Identifier: GPL-2.0-only
/*
 * An RPC server that does not answer, or cannot be reached. Both points are
 * reached by failures, and by each new connection.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fault.bpf.h"
#include "ffdc/abi/rpc.h"

char _license[] SEC("license") = "GPL";

#define ETIMEDOUT 110

static __always_inline int report(const struct rpc_task *task, __u32 failure, __u32 status)
{
	const __u64 now = bpf_ktime_get_ns();
	struct rpc_xprt *xprt = BPF_CORE_READ(task, tk_xprt);
	struct ffdc_rpc_fault *fault;
	const char *server;

	if (!xprt || !fault_admitted(FFDC_FAULT_RPC, (__u64)xprt, failure << 16 | status, now))
		return 0;
	fault = fault_reserve(sizeof(*fault), FFDC_FAULT_RPC, now);
	if (!fault)
		return 0;
	fault->failure = failure;
	fault->status = status;
	fault->program = BPF_CORE_READ(task, tk_client, cl_prog);
	bpf_core_read(fault->address, sizeof(fault->address), &xprt->addr);
	server = BPF_CORE_READ(xprt, servername);
	if (bpf_probe_read_kernel_str(fault->server, sizeof(fault->server), server) < 0)
		fault->server[0] = 0;
	fault_submit(fault);
	return 0;
}

SEC("tp_btf/rpc_timeout_status")
int BPF_PROG(on_timeout, const struct rpc_task *task)
{
	if (!task) /* 6.12: the arguments of a module's tracepoint may be NULL */
		return 0;
	return report(task, FFDC_RPC_TIMEOUT, ETIMEDOUT);
}

SEC("tp_btf/rpc_connect_status")
int BPF_PROG(on_connect, const struct rpc_task *task)
{
	int status;

	if (!task)
		return 0;
	status = task->tk_status;
	if (status >= 0)
		return 0;
	return report(task, FFDC_RPC_CONNECT, -status);
}
