#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
reader database "/dev/$disk"
sleep 0.5
mark
echo offline >"/sys/block/$disk/device/state"
until_ok 15 service_ended database
