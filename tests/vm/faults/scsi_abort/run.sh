#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug delay=1 statistics=1)
start_agent
mark
echo 1 >"$SCSI/every_nth"
echo 16 >"$SCSI/opts" # every command ends with ABORTED COMMAND, retries too
as_service database dd if="/dev/$disk" of=/dev/null bs=4k skip=40 count=1 iflag=direct
wait_event io.error "$disk"
echo 0 >"$SCSI/every_nth"
echo 0 >"$SCSI/opts"
