#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo 2 >/proc/sys/kernel/watchdog_thresh
echo 4 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
head -c 64 /dev/zero >/run/packet
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
bpftool prog load /job/test/lockup.bpf.o /sys/fs/bpf/lockup
start_agent
mark
bpftool prog run pinned /sys/fs/bpf/lockup data_in /run/packet # holds the only CPU for 8 s
wait_event task.hung
