#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
as_service database bash -c "while dd if=/dev/zero of=/dev/$disk bs=64k count=1000 oflag=direct status=none; do :; done"
sleep 1
mark
echo 1 >"/sys/block/$disk/device/delete"
until_ok 15 service_ended database
