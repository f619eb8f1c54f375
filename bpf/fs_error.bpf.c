// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filesystems that report an error, shut down, or lose what was to be written back.
 * Others (NFS, FUSE, tmpfs, overlay) are left out: their storage is none of ours.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fault.bpf.h"
#include "ffdc/abi/fs.h"

char _license[] SEC("license") = "GPL";

#define FS_REQUIRES_DEV 1 /* include/linux/fs.h */
#define BDEVFS_MAGIC 0x62646576ul
#define MAX_ERRNO 4095

struct fs_fault {
	struct super_block *sb;
	const char *function;
	__u64 inode;
	__u32 kind;
	__u32 dev;
	__u32 error;
	__u32 line;
	__u32 flags;
};

static __always_inline void fs_report(const struct fs_fault *fault)
{
	const __u64 now = bpf_ktime_get_ns();
	struct super_block *sb = fault->sb; /* CO-RE must not look for our own struct in the kernel */
	struct ffdc_fs_error *record;

	if (!fault_admitted(fault->kind, fault->dev, fault->line ? fault->line : fault->error, now))
		return;
	record = fault_reserve(sizeof(*record), fault->kind, now);
	if (!record)
		return;
	record->inode = fault->inode;
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->dev = fault->dev;
	record->error = fault->error;
	record->line = fault->line;
	record->pid = (__u32)bpf_get_current_pid_tgid();
	record->flags = fault->flags;
	record->pad = 0;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record->fs_type[0] = '\0';
	bpf_probe_read_kernel_str(record->fs_type, sizeof(record->fs_type), BPF_CORE_READ(sb, s_type, name));
	record->function[0] = '\0';
	if (fault->function)
		bpf_probe_read_kernel_str(record->function, sizeof(record->function), fault->function);
	fault_submit(record);
}

/*
 * "bpf: Mark raw_tp arguments with PTR_MAYBE_NULL" (6.12): not even an address may be
 * made of an argument that was not compared with NULL.
 */
static __always_inline int sb_report(struct super_block *sb, const char *function, __u32 line, __u32 flags)
{
	struct fs_fault fault = {
		.sb = sb,
		.function = function,
		.kind = FFDC_FAULT_FS_ERROR,
		.line = line,
		.flags = flags,
	};

	if (!sb)
		return 0;
	fault.dev = BPF_CORE_READ(sb, s_dev);
	fs_report(&fault);
	return 0;
}

SEC("tp_btf/ext4_error")
int BPF_PROG(ext4_error, struct super_block *sb, const char *function, unsigned int line)
{
	return sb_report(sb, function, line, 0);
}

SEC("tp_btf/ext4_shutdown")
int BPF_PROG(ext4_shutdown, struct super_block *sb)
{
	return sb_report(sb, NULL, 0, FFDC_FS_SHUTDOWN);
}

/* A log that cannot be written shuts the filesystem down without it: the kernel's log tells of that. */
SEC("tp_btf/xfs_force_shutdown")
int BPF_PROG(xfs_force_shutdown, struct xfs_mount *mount, int tag, int reason, const char *file, int line)
{
	if (!mount)
		return 0;
	return sb_report(BPF_CORE_READ(mount, m_super), file, line, FFDC_FS_SHUTDOWN);
}

/* The tracepoint's second argument is what errseq_set() returns: the value before this error. */
SEC("tp_btf/filemap_set_wb_err")
int BPF_PROG(filemap_set_wb_err, struct address_space *mapping)
{
	struct fs_fault fault = {.kind = FFDC_FAULT_WRITEBACK};
	struct super_block *sb;
	struct inode *inode;

	if (!mapping)
		return 0;
	inode = BPF_CORE_READ(mapping, host);
	sb = BPF_CORE_READ(inode, i_sb);
	fault.sb = sb;
	fault.error = BPF_CORE_READ(mapping, wb_err) & MAX_ERRNO;
	if (BPF_CORE_READ(sb, s_magic) == BDEVFS_MAGIC) {
		fault.dev = BPF_CORE_READ(inode, i_rdev);
		fault.flags = FFDC_FS_BLOCKDEV;
	} else if (BPF_CORE_READ(sb, s_type, fs_flags) & FS_REQUIRES_DEV) {
		fault.dev = BPF_CORE_READ(sb, s_dev);
		fault.inode = BPF_CORE_READ(inode, i_ino);
	} else {
		return 0;
	}
	fs_report(&fault);
	return 0;
}
