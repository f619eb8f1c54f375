#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent

read_at "/dev/$disk" 0 20
echo 2 >"$SCSI/opts" # reads of sectors 0x1234 to 0x123d fail
mark
as_service database dd if="/dev/$disk" of=/dev/null bs=4k skip=582 count=1 iflag=direct
