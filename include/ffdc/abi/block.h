/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Records shared by the kernel programs in bpf/ and the agent. Plain C, fixed
 * width, no pointers; the sizes are pinned below and checked again against the
 * BTF of the BPF object in tests/unit/abi_test.cc.
 *
 * Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns), sectors are 512
 * bytes whatever the device's block size, device numbers are the kernel's
 * dev_t: major << 20 | minor (FFDC_DEV_MINOR_BITS).
 */
#ifndef FFDC_ABI_BLOCK_H
#define FFDC_ABI_BLOCK_H

#ifndef FFDC_BPF
#include <stdint.h>
typedef uint8_t __ffdc_u8;
typedef uint16_t __ffdc_u16;
typedef uint32_t __ffdc_u32;
typedef uint64_t __ffdc_u64;
#else
typedef __u8 __ffdc_u8;
typedef __u16 __ffdc_u16;
typedef __u32 __ffdc_u32;
typedef __u64 __ffdc_u64;
#endif

#define FFDC_DEV_MINOR_BITS 20
#define FFDC_DEV_MAJOR(dev) ((dev) >> FFDC_DEV_MINOR_BITS)
#define FFDC_DEV_MINOR(dev) ((dev) & ((1u << FFDC_DEV_MINOR_BITS) - 1))

/* One completed request in the flight recorder. */
struct ffdc_io_record {
	__ffdc_u64 complete_ns;
	__ffdc_u64 latency_ns; /* 0: this kernel or queue does not time requests (iostats off) */
	__ffdc_u64 sector_op; /* bits 0-47 sector, 48-55 op (REQ_OP_*), 56-63 blk_status_t */
	__ffdc_u32 dev;	      /* whole disk */
	__ffdc_u32 len_bytes;
};

#define FFDC_IO_SECTOR(rec) ((rec)->sector_op & 0xffffffffffffull)
#define FFDC_IO_OP(rec) ((__ffdc_u8)((rec)->sector_op >> 48))
#define FFDC_IO_STATUS(rec) ((__ffdc_u8)((rec)->sector_op >> 56))

/* What a record sent through the ring buffer is. Every record starts with
 * struct ffdc_record_header. */
enum ffdc_record_kind {
	FFDC_RECORD_BLOCK_ERROR = 1, /* a request failed (block_rq_complete) */
	FFDC_RECORD_BIO_ERROR = 2,   /* a bio of a bio-based device failed (block_bio_complete) */
};

struct ffdc_record_header {
	__ffdc_u32 kind; /* enum ffdc_record_kind */
	__ffdc_u32 size_bytes;
	__ffdc_u64 time_ns;
};

/* Flags of ffdc_block_error. */
#define FFDC_ERROR_FIRST 1u	   /* first failure of this (device, op, status) since it was last quiet */
#define FFDC_ERROR_FROZE 2u	   /* this failure made the kernel freeze the flight recorder */
#define FFDC_ERROR_UNCLASSIFIED 4u /* the agent has not told the kernel about this device yet */
#define FFDC_ERROR_KEY_OVERFLOW 8u /* the storm table is full: the failure is not counted per key */

struct ffdc_block_error {
	struct ffdc_record_header header;
	__ffdc_u64 sector;
	__ffdc_u64 latency_ns;
	__ffdc_u64 cgroup_id; /* owner of the bio; 0 where the kernel does not say */
	__ffdc_u64 total;     /* failures of this (device, op, status) so far, this one included */
	__ffdc_u32 cgroup_hierarchy; /* 0 = cgroup v2, else the id of the v1 hierarchy */
	__ffdc_u32 dev;		     /* whole disk */
	__ffdc_u32 part_dev;	     /* partition the request was sent to; 0 where unknown or none */
	__ffdc_u32 len_bytes;
	__ffdc_u32 rq_flags; /* request->cmd_flags / bio->bi_opf without the op */
	__ffdc_u8 op;	     /* REQ_OP_* */
	__ffdc_u8 status;    /* blk_status_t */
	__ffdc_u16 flags;    /* FFDC_ERROR_* */
};

/* Storm control: one entry a (device, op, status) that ever failed. */
struct ffdc_storm_key {
	__ffdc_u32 dev;
	__ffdc_u8 op;
	__ffdc_u8 status;
	__ffdc_u16 source; /* enum ffdc_record_kind */
};

struct ffdc_storm_entry {
	__ffdc_u64 total;      /* failures counted, exact */
	__ffdc_u64 suppressed; /* of these, not sent as a record */
	__ffdc_u64 last_ns;    /* time of the last failure */
	__ffdc_u64 refill_ns;  /* token bucket: time of the last refill */
	__ffdc_u64 tokens;     /* token bucket: records that may still be sent */
};

/* What the agent tells the kernel about a device (hash keyed by dev). */
#define FFDC_DEVICE_WATCHED 1u
struct ffdc_device_filter {
	__ffdc_u32 flags; /* FFDC_DEVICE_* */
	__ffdc_u32 slot;  /* index of its latency histogram; FFDC_NO_SLOT: none */
	__ffdc_u64 since_ns; /* since when this number is this device: earlier failures were another's */
};
#define FFDC_NO_SLOT 0xffffffffu

/*
 * Latency histogram, log-linear: 8 buckets an octave from 2^10 ns to 2^36 ns
 * (68 s), so that a bucket's middle is within 6.25 % of every value in it.
 * Bucket 0 is everything below 1,024 ns, the last one everything above.
 */
#define FFDC_HIST_MIN_SHIFT 10
#define FFDC_HIST_MAX_SHIFT 36
#define FFDC_HIST_SUB_SHIFT 3
#define FFDC_HIST_BUCKETS 256 /* 210 in use; the rest pads to a power of two */
#define FFDC_HIST_LAST \
	(1 + ((FFDC_HIST_MAX_SHIFT - FFDC_HIST_MIN_SHIFT) << FFDC_HIST_SUB_SHIFT))
/* Completions without a latency: not timed by the kernel, or neither read nor write. */
#define FFDC_HIST_UNTIMED (FFDC_HIST_BUCKETS - 1)

static inline __ffdc_u32 ffdc_latency_bucket(__ffdc_u64 latency_ns)
{
	/* In units of an eighth of 2^10 ns, so that an octave's eight buckets are 8 to 15, halved s times. */
	__ffdc_u64 scaled = latency_ns >> (FFDC_HIST_MIN_SHIFT - FFDC_HIST_SUB_SHIFT);
	__ffdc_u32 value = (__ffdc_u32)scaled;
	__ffdc_u32 s = 0, rest;

	if (scaled < (1u << FFDC_HIST_SUB_SHIFT))
		return 0;
	if (scaled >> (FFDC_HIST_MAX_SHIFT - FFDC_HIST_MIN_SHIFT + FFDC_HIST_SUB_SHIFT))
		return FFDC_HIST_LAST;
	/* BPF cannot count leading zeros. These branches, at 67 ms, 262 us and 16 us, are predicted well. */
	if (value > 0x7ffff) {
		value >>= 16;
		s = 16;
	}
	if (value > 0x7ff) {
		value >>= 8;
		s += 8;
	}
	if (value > 0x7f) {
		value >>= 4;
		s += 4;
	}
	/* The logarithm of value / 8, 1 to 15: two bits each. */
	rest = (0xffffaa50u >> (value >> FFDC_HIST_SUB_SHIFT << 1)) & 3;
	s += rest;
	value >>= rest;
	return 1 + (s << FFDC_HIST_SUB_SHIFT) + (value & ((1u << FFDC_HIST_SUB_SHIFT) - 1));
}

enum ffdc_hist_class { FFDC_HIST_READ = 0, FFDC_HIST_WRITE = 1, FFDC_HIST_CLASSES = 2 };

/* One device on one CPU; index slot * cpu_count + cpu. Counters wrap. */
struct ffdc_histogram {
	__ffdc_u32 count[FFDC_HIST_CLASSES][FFDC_HIST_BUCKETS];
};

/* Failures that are no failures to anybody (see the filters in block_io.bpf.c). */
enum ffdc_filtered {
	FFDC_FILTERED_READAHEAD = 0,
	FFDC_FILTERED_PASSTHROUGH = 1,
	FFDC_FILTERED_UNSUPPORTED = 2, /* discard, write-zeroes, ... not supported */
	FFDC_FILTERED_NOWAIT = 3,      /* BLK_STS_AGAIN: the caller asked not to wait */
	FFDC_FILTERED_NO_DISK = 4,     /* device 0,0 */
	FFDC_FILTERED_IGNORED = 5,     /* on a device left out by the filter */
	FFDC_FILTERED_COUNT = 6,
};

#if defined(__cplusplus)
#define FFDC_ABI_ASSERT(type, size) static_assert(sizeof(struct type) == (size), #type)
#else
#define FFDC_ABI_ASSERT(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#endif
FFDC_ABI_ASSERT(ffdc_io_record, 32);
FFDC_ABI_ASSERT(ffdc_record_header, 16);
FFDC_ABI_ASSERT(ffdc_block_error, 72);
FFDC_ABI_ASSERT(ffdc_storm_key, 8);
FFDC_ABI_ASSERT(ffdc_storm_entry, 40);
FFDC_ABI_ASSERT(ffdc_device_filter, 16);
FFDC_ABI_ASSERT(ffdc_histogram, 2048);

#endif
