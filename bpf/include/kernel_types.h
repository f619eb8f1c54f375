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
enum mq_rq_state { MQ_RQ_COMPLETE = 2 };
enum rqf_flags { /* since 6.11; macros before */
	__RQF_FLUSH_SEQ = 1,
	__RQF_IO_STAT = 8,
};

struct sock;
struct nbd_request; /* what goes over the wire */
/* include/net/sock.h, tcp_states.h: values that never moved */
enum sock_flags { SOCK_DEAD = 0 };
enum {
	TCP_SYN_SENT = 2,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
};
/* That the kernel has the tracepoint. */
typedef void (*btf_trace_inet_sk_error_report)(void *, const struct sock *);

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct device {
	__u32 devt;
};
struct hd_struct { /* before 5.11 */
	struct device __dev;
};
struct request_queue;
struct gendisk {
	int major;
	int first_minor;
	char disk_name[32];
	struct request_queue *queue;
};
struct block_device {
	__u32 bd_dev;
	struct gendisk *bd_disk;
};
struct blk_mq_ops;
struct request_queue {
	int id;
	struct gendisk *disk;
	const struct blk_mq_ops *mq_ops;
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
	__u32 __data_len;
	enum mq_rq_state state;
};
struct request___old {
	struct gendisk *rq_disk;
	struct hd_struct *part;
};

struct scsi_cmnd {
	int retries;
	int allowed;
	unsigned char cmnd[32];
	unsigned char *sense_buffer;
	int result;
};
struct scsi_cmnd___old {
	unsigned char *cmnd;
};

struct nvme_ctrl {
	int instance;
};
struct nvme_request {
	__u8 retries;
	__u16 status;
	struct nvme_ctrl *ctrl;
};

enum cgroup_subsys_id { io_cgrp_id = 1 }; /* moves: read it with bpf_core_enum_value */
struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

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
	unsigned short i_mode;
	__u32 i_rdev;
	unsigned long i_ino;
	struct super_block *i_sb;
};
struct file {
	struct inode *f_inode;
};
struct vfsmount {
	struct super_block *mnt_sb;
};
struct path {
	struct vfsmount *mnt;
};
struct nameidata {
	struct path path;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
/* The user's registers, of x86-64 and of arm64. */
struct pt_regs___x86 {
	unsigned long di;
	unsigned long orig_ax;
	unsigned long cs;
};
struct pt_regs___arm64 {
	__u64 orig_x0;
	__s32 syscallno;
	__u64 pstate;
};
enum bpf_func_id { BPF_FUNC_task_pt_regs = 175 }; /* since 5.15 */

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	char comm[16];
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_boottime;
	struct nameidata *nameidata;
	struct files_struct *files;
	struct css_set *cgroups;
};
struct task_struct___old {
	volatile long state;
	__u64 real_start_time;
};

struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};
struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	unsigned long skc_flags;
};
struct sock {
	struct sock_common __sk_common;
	int sk_err;
};
struct inet_connection_sock {
	__u8 icsk_retransmits;
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

/* include/linux/sunrpc: in the module sunrpc */
struct __kernel_sockaddr_storage {
	__u16 ss_family;
};
struct rpc_xprt {
	struct __kernel_sockaddr_storage addr;
	char *servername;
};
struct rpc_clnt {
	__u32 cl_prog;
};
struct rpc_task {
	int tk_status;
	struct rpc_clnt *tk_client;
	struct rpc_xprt *tk_xprt;
};

/* drivers/block/nbd.c: in the module nbd */
struct socket {
	struct sock *sk;
};
struct nbd_sock {
	struct socket *sock;
};
struct nbd_config {
	struct nbd_sock **socks;
};
struct nbd_device {
	struct nbd_config *config;
};
struct nbd_cmd {
	struct nbd_device *nbd;
	int index;
};

/* Filesystems. */
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
