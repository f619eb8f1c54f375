#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
modprobe scsi_debug dev_size_mb=64 ndelay=200000000
udevadm settle
until_ok 30 scsi_disks
disk=$(scsi_disks)
mkdir -p /var/lib/ffdc/spool
chmod 750 /var/lib/ffdc /var/lib/ffdc/spool
python3 /job/test/learned.py /var/lib/ffdc/spool/baselines.pb \
	"wwid:$(sed 's/ *$//' "/sys/block/$disk/device/wwid")" 2 100 4096
start_agent
mark
as_service database bash -c "while :; do dd if=/dev/$disk of=/dev/null bs=4k iflag=direct status=none; done"
WAIT_S=40 wait_event io.slow "$disk"
