#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
echo 1 >"/sys/block/$disk/device/timeout"
echo 1 >"/sys/block/$disk/device/eh_timeout" # what the error handler asks gets no answer either

mark
echo 4 >"$SCSI/opts" # commands get no answer
echo -1 >"$SCSI/every_nth"
as_service database dd if="/dev/$disk" of=/dev/null bs=4k skip=10 count=1 iflag=direct
WAIT_S=30 wait_event io.error "$disk"
echo 0 >"$SCSI/every_nth"
echo 0 >"$SCSI/opts"
