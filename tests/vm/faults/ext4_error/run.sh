#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
size=$(sectors "$disk")
dm data "0 $size linear $disk 0"
mkfs.ext4 -q /dev/mapper/data
mkdir -p /srv/data
mount -o errors=remount-ro /dev/mapper/data /srv/data
dd if=/dev/zero of=/srv/data/file bs=64k count=16 status=none
sync
start_agent
writer database /srv/data
sleep 1
mark
dm_replace data "0 $size error"

until_ok 30 service_ended database
may_fail dd if=/dev/zero of=/srv/data/file bs=64k count=4 conv=notrunc,fsync status=none
may_fail touch /srv/data/late
WAIT_S=20 wait_event fs.error
