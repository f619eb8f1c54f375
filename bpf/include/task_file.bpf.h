/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which file the system call is about that a task sleeps in: the one whose path is
 * being looked up, or that of the file descriptor, of those calls that wait for a
 * disk. Everything is read as it may be, while it changes: a task's files can go
 * away any time.
 */
#ifndef FFDC_TASK_FILE_BPF_H
#define FFDC_TASK_FILE_BPF_H

#include "core_fixes.bpf.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h; neither ever moved */
#define S_IFMT 00170000
#define S_IFBLK 0060000

struct task_file {
	__u32 dev; /* the disk itself, or its filesystem's; 0: unknown */
	const char *file_system; /* NULL: unknown */
};

#if defined(__TARGET_ARCH_x86)
#define USER_CS_64 0x33 /* a 32-bit process has other numbers */

static __always_inline int syscall_fd(void *user_regs)
{
	struct pt_regs___x86 *regs = user_regs;

	if (BPF_CORE_READ(regs, cs) != USER_CS_64)
		return -1;
	switch ((long)BPF_CORE_READ(regs, orig_ax)) { /* -1: no system call but a fault */
	case 0: /* read, write */
	case 1:
	case 8: /* lseek */
	case 16: /* ioctl */
	case 17: /* pread64, pwrite64, readv, writev */
	case 18:
	case 19:
	case 20:
	case 74: /* fsync, fdatasync, ftruncate */
	case 75:
	case 77:
	case 78: /* getdents */
	case 187: /* readahead */
	case 217: /* getdents64 */
	case 221: /* fadvise64 */
	case 277: /* sync_file_range */
	case 285: /* fallocate */
	case 295: /* preadv, pwritev */
	case 296:
	case 306: /* syncfs */
	case 327: /* preadv2, pwritev2 */
	case 328:
		return (int)BPF_CORE_READ(regs, di);
	}
	return -1;
}
#elif defined(__TARGET_ARCH_arm64)
#define PSR_MODE32_BIT 0x10

static __always_inline int syscall_fd(void *user_regs)
{
	struct pt_regs___arm64 *regs = user_regs;

	if (BPF_CORE_READ(regs, pstate) & PSR_MODE32_BIT)
		return -1;
	switch (BPF_CORE_READ(regs, syscallno)) {
	case 29: /* ioctl */
	case 46: /* ftruncate, fallocate */
	case 47:
	case 61: /* getdents64, lseek, read, write, readv, writev, pread64, pwrite64, preadv, pwritev */
	case 62:
	case 63:
	case 64:
	case 65:
	case 66:
	case 67:
	case 68:
	case 69:
	case 70:
	case 82: /* fsync, fdatasync, sync_file_range */
	case 83:
	case 84:
	case 213: /* readahead */
	case 223: /* fadvise64 */
	case 267: /* syncfs */
	case 286: /* preadv2, pwritev2 */
	case 287:
		return (int)BPF_CORE_READ(regs, orig_x0);
	}
	return -1;
}
#endif

static __always_inline void describe_super(struct super_block *sb, struct task_file *file)
{
	file->dev = BPF_CORE_READ(sb, s_dev);
	file->file_system = BPF_CORE_READ(sb, s_type, name);
}

static __always_inline void describe_inode(struct inode *inode, struct task_file *file)
{
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFBLK) {
		file->dev = BPF_CORE_READ(inode, i_rdev);
		file->file_system = "bdev";
		return;
	}
	describe_super(BPF_CORE_READ(inode, i_sb), file);
}

/*
 * How far open(2), stat(2) and their kin have come on their way (fs/namei.c: it
 * stands in the task from set_nameidata() to restore_nameidata()).
 */
static __always_inline struct super_block *looked_up(struct task_struct *task)
{
	struct nameidata *way;

	if (!bpf_core_field_exists(struct nameidata, path))
		return NULL;
	way = BPF_CORE_READ(task, nameidata);
	return way ? BPF_CORE_READ(way, path.mnt, mnt_sb) : NULL;
}

/* task: as the kernel gave it to the program, not NULL. */
static __always_inline struct task_file task_file(struct task_struct *task)
{
	struct task_file found = {};
	struct file **files, *file = NULL;
	struct super_block *sb;
	struct inode *inode;
	void *regs;
	int fd;

	if (task->flags & PF_KTHREAD)
		return found;
	sb = looked_up(task);
	if (sb) {
		describe_super(sb, &found);
		return found;
	}
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return found;
	regs = (void *)bpf_task_pt_regs(task);
	if (!regs)
		return found;
	fd = syscall_fd(regs);
	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return found;
	files = BPF_CORE_READ(task, files, fdt, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), &files[fd]) || !file)
		return found;
	inode = BPF_CORE_READ(file, f_inode);
	if (inode)
		describe_inode(inode, &found);
	return found;
}

#endif
