/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel types our programs touch, with only the fields they touch: CO-RE
 * finds their places in the running kernel. Names that end in ___<x> are the
 * same type as other kernels have it; core_fixes.bpf.h chooses among them.
 */
#ifndef FFDC_KERNEL_TYPES_H
#define FFDC_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};
enum { BPF_F_MMAPABLE = 1u << 10 };

/* include/linux/blk_types.h: values that never moved */
enum {
	REQ_OP_READ = 0,
	REQ_OP_WRITE = 1,
	REQ_OP_MASK = 0xff,
	REQ_OP_PASSTHROUGH_MIN = 32, /* SCSI_IN, SCSI_OUT (to 5.15), DRV_IN, DRV_OUT */
};
enum {
	BLK_STS_NOTSUPP = 1,
	BLK_STS_TIMEOUT = 2,
	BLK_STS_NOSPC = 3,
	BLK_STS_TRANSPORT = 4,
	BLK_STS_TARGET = 5,
	BLK_STS_RESV_CONFLICT = 6,
	BLK_STS_MEDIUM = 7,
	BLK_STS_PROTECTION = 8,
	BLK_STS_RESOURCE = 9,
	BLK_STS_IOERR = 10,
	BLK_STS_DM_REQUEUE = 11,
	BLK_STS_AGAIN = 12,
	BLK_STS_DEV_RESOURCE = 13,
	BLK_STS_ZONE_OPEN_RESOURCE___old = 15, /* before 6.10 */
	BLK_STS_ZONE_ACTIVE_RESOURCE___old = 16,
};
/* These move: read them with bpf_core_enum_value. */
enum req_flag_bits { __REQ_RAHEAD = 19 };
enum rqf_flags { /* since 6.11; macros before */
	__RQF_FLUSH_SEQ = 1,
	__RQF_IO_STAT = 8,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct device {
	__u32 devt;
};
struct hd_struct { /* before 5.11 */
	struct device __dev;
};
struct gendisk {
	int major;
	int first_minor;
};
struct block_device {
	__u32 bd_dev;
	struct gendisk *bd_disk;
};
struct request_queue {
	int id;
	struct gendisk *disk;
};

struct kernfs_node {
	__u64 id;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct blkcg {
	struct cgroup_subsys_state css;
};
struct blkcg_gq {
	struct blkcg *blkcg;
};

struct bvec_iter {
	__u64 bi_sector;
	__u32 bi_size;
};
struct bio {
	struct block_device *bi_bdev;
	__u32 bi_opf;
	__u8 bi_status;
	struct bvec_iter bi_iter;
	struct blkcg_gq *bi_blkg;
};
struct bio___old {
	struct gendisk *bi_disk;
};

struct request {
	struct request_queue *q;
	__u32 cmd_flags;
	__u32 rq_flags;
	__u64 __sector;
	struct bio *bio;
	struct block_device *part;
	__u64 start_time_ns;
};
struct request___old {
	struct gendisk *rq_disk;
	struct hd_struct *part;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};
struct task_struct {
	unsigned int __state;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	char comm[16];
	struct css_set *cgroups;
};
struct task_struct___old {
	volatile long state;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* Filesystems. */
struct file_system_type {
	const char *name;
	int fs_flags;
};
struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_rdev;
};
struct address_space {
	struct inode *host;
	__u32 wb_err;
};
struct xfs_mount {
	struct super_block *m_super;
};

/* Hardware errors. */
struct mce {
	__u64 status;
	__u8 bank;
};

#pragma clang attribute pop

#endif
