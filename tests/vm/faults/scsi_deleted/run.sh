#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
# It holds the disk open: what opens a deleted one anew gets ENXIO, and no I/O fails.
as_service database fio --name=database --filename="/dev/$disk" --rw=randwrite --bs=64k --direct=1 --size=64m --time_based --runtime=60
writes() { [ "$(awk '{ print $5 }' "/sys/block/$disk/stat")" -gt 100 ]; }
until_ok 30 writes
mark
echo 1 >"/sys/block/$disk/device/delete"
until_ok 15 service_ended database
