/* SPDX-License-Identifier: GPL-2.0-only */
/* The token bucket of storm control. */
#ifndef FFDC_TOKEN_BPF_H
#define FFDC_TOKEN_BPF_H

#include "kernel_types.h"

#define NSEC_PER_SEC 1000000000ull

/*
 * Tokens are not exact under contention, on purpose: two CPUs may spend the same
 * one. What is counted is exact all the same.
 */
static __always_inline bool take_token(__u64 *refill_ns, __u64 *tokens, __u64 now, __u64 interval_ns,
				       __u64 burst)
{
	__u64 refilled = *refill_ns;
	__u64 left = *tokens;

	if ((__s64)(now - refilled) > 0) {
		__u64 gained = (now - refilled) / interval_ns;

		if (gained) {
			*refill_ns = refilled + gained * interval_ns;
			left += gained;
			if (left > burst || left < gained)
				left = burst;
		}
	}
	if (!left) {
		*tokens = 0;
		return false;
	}
	*tokens = left - 1;
	return true;
}

#endif
