#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug ndelay=50000) # no error is injected into an answer without delay
start_agent
mark
echo 2 >"$SCSI/every_nth"
echo 16 >"$SCSI/opts" # every other command ends with ABORTED COMMAND, its retry does not
as_service database dd if="/dev/$disk" of=/dev/null bs=4k count=200 iflag=direct
wait_event io.retry "$disk"
echo 0 >"$SCSI/every_nth"
echo 0 >"$SCSI/opts"
