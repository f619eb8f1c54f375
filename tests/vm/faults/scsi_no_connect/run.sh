#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
error=$(echo /sys/kernel/debug/scsi_debug/*/error)
start_agent
mark
echo "2 -10 0x28 0x1 0x0 0x0 0x0 0x0 0x0" >"$error" # reads end with DID_NO_CONNECT
as_service database dd if="/dev/$disk" of=/dev/null bs=4k skip=100 count=1 iflag=direct
wait_event io.error "$disk"
