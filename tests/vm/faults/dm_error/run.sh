# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
disk=/dev/$(scsi_debug)
size=$(sectors "$disk")
start_agent

dm bad "0 1000 linear $disk 0
1000 104 error
1104 $((size - 1104)) linear $disk 1104"
read_at /dev/mapper/bad 0 20
mark
as_service database dd if=/dev/mapper/bad of=/dev/null bs=4k skip=125 count=1 iflag=direct
