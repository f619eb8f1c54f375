#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
size=$(sectors "$disk")
start_agent

# Bad in the middle alone, where nothing looks for filesystems and partitions.
dm bad "0 40000 linear $disk 0
40000 104 error
40104 $((size - 40104)) linear $disk 40104"
read_at /dev/mapper/bad 0 20
mark
as_service database dd if=/dev/mapper/bad of=/dev/null bs=4k skip=5000 count=1 iflag=direct
