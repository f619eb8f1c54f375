#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
size=$(sectors "$disk")
modprobe dm_flakey
dm shaky "0 $size linear $disk 0"
start_agent
reader database /dev/mapper/shaky
sleep 1
mark
dm_replace shaky "0 $size flakey $disk 0 0 600"
until_ok 15 service_ended database
