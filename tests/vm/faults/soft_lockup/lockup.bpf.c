// SPDX-License-Identifier: GPL-2.0-only
// Holds a CPU in the kernel for eight seconds: what nothing in user space can do.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct until {
	__u64 ns;
};

static long is_over(__u32 index, void *context)
{
	const struct until *until = context;

	return bpf_ktime_get_ns() > until->ns;
}

static long spin(__u32 index, void *context)
{
	bpf_loop(1 << 20, is_over, context, 0);
	return is_over(index, context);
}

SEC("tc")
int lockup(void *packet)
{
	struct until until = { bpf_ktime_get_ns() + 8000000000ULL };

	bpf_loop(1 << 20, spin, &until, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
