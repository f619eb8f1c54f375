#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
modprobe dm_delay
# Late in the middle alone, where nothing looks for filesystems and partitions.
dm late "0 40000 linear $disk 0
40000 1000 delay $disk 40000 6000
41000 $(($(sectors "$disk") - 41000)) linear $disk 41000"
start_agent
read_at /dev/mapper/late 0
mark
as_service database dd if=/dev/mapper/late of=/dev/null bs=4k skip=5000 count=1 iflag=direct
wait_event io.stall
