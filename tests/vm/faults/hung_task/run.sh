#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo 4 >/proc/sys/kernel/hung_task_timeout_secs
echo 1 >/proc/sys/kernel/hung_task_check_interval_secs
disk=/dev/$(scsi_debug)
dm data "0 $(sectors "$disk") linear $disk 0"
mkfs.ext4 -q /dev/mapper/data
mount /dev/mapper/data /mnt
start_agent
dmsetup suspend --nolockfs data
mark
as_service database bash -c 'echo x >/mnt/file; sync /mnt/file'
wait_event task.hung
dmsetup resume data
until_ok 15 service_ended database
