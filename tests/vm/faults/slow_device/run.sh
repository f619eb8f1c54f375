#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
modprobe scsi_debug dev_size_mb=64 ndelay=300000
udevadm settle
until_ok 10 scsi_disks
disk=$(scsi_disks)
start_agent
as_service database dd if="/dev/$disk" of=/dev/null bs=4k iflag=direct count=1000000
as_service again bash -c "while :; do dd if=/dev/$disk of=/dev/null bs=4k iflag=direct status=none; done"
sleep 15
slower() { echo 400000000 >"$SCSI/ndelay"; } # refused while a command is under way
until_ok 15 slower
mark
WAIT_S=20 wait_event io.slow "$disk"
