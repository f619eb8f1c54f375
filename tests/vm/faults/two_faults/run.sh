#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046 # two names
set -- $(scsi_debug add_host=2 per_host_store=1)
first=$1 second=$2
size=$(sectors "/dev/$second")
dm data "0 40000 linear /dev/$second 0
40000 104 error
40104 $((size - 40104)) linear /dev/$second 40104"
start_agent
read_at "/dev/$first" 0
read_at /dev/mapper/data 0
echo 2 >"$SCSI/opts" # reads of sectors 0x1234 to 0x123d fail
mark
as_service database dd if="/dev/$first" of=/dev/null bs=4k skip=582 count=1 iflag=direct
as_service web dd if=/dev/mapper/data of=/dev/null bs=4k skip=5000 count=1 iflag=direct
