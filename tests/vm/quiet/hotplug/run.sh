#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
read_at "/dev/$disk" 0 10
echo 1 >"/sys/block/$disk/device/delete"
udevadm settle
echo 1 >"$SCSI/add_host"
udevadm settle
sleep 1
echo -1 >"$SCSI/add_host"
truncate -s 32M /run/image
loop=$(losetup --show -f /run/image)
may_fail read_at "$loop" 0 10
losetup -d "$loop"
modprobe null_blk nr_devices=2 gb=1
udevadm settle
modprobe -r null_blk
