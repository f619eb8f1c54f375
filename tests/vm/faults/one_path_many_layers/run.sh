#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo 4 >/proc/sys/kernel/hung_task_timeout_secs
echo 1 >/proc/sys/kernel/hung_task_check_interval_secs
# shellcheck disable=SC2046 # one name
multipath_map map mq $(scsi_debug dev_size_mb=64)
# Not later: a WRITE SAME may take 120 s, for which the error handler would wait.
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/map
mkdir -p /srv/data
mount -o errors=remount-ro /dev/mapper/map /srv/data
echo 1 >/sys/block/sda/device/timeout
echo 1 >/sys/block/sda/device/eh_timeout
start_agent
writer database /srv/data
sleep 1
mark
echo 4 >"$SCSI/opts" # the only path gets no answers any more
echo -1 >"$SCSI/every_nth"
wait_event io.timeout sda
WAIT_S=25 wait_event task.hung
dmsetup message map 0 fail_if_no_path # nobody queues any longer: the error goes all the way up
WAIT_S=45 wait_event fs.error # once the error handler has given the disk up
echo 0 >"$SCSI/every_nth"
echo 0 >"$SCSI/opts"
