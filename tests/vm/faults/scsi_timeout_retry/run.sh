#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
echo 1 >"/sys/block/$disk/device/timeout"

mark
echo 4 >"$SCSI/opts" # one command gets no answer; its retry does
echo -1 >"$SCSI/every_nth"
as_service database dd if="/dev/$disk" of=/dev/null bs=4k skip=10 count=1 iflag=direct
sleep 0.7
echo 0 >"$SCSI/every_nth"
echo 0 >"$SCSI/opts"
until_ok 15 service_ended database
wait_event io.timeout "$disk"
