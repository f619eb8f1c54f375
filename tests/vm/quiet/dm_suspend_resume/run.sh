#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
size=$(sectors "$disk")
dm data "0 $size linear $disk 0"
start_agent
reader database /dev/mapper/data
for _ in 1 2 3 4 5; do
	dm_replace data "0 $size linear $disk 0"
	sleep 0.3
done
dmsetup suspend data
sleep 1
dmsetup resume data
sleep 1
if service_ended database; then die "its reader failed"; fi
