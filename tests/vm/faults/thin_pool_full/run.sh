#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
modprobe dm_thin_pool
dm metadata "0 8192 linear $disk 0"
dm data "0 65536 linear $disk 8192" # 32 MiB
write_at /dev/mapper/metadata 0
dm pool "0 65536 thin-pool /dev/mapper/metadata /dev/mapper/data 128 0 1 skip_block_zeroing"
dmsetup message pool 0 'create_thin 0'
dm thin "0 122880 thin /dev/mapper/pool 0" # 60 MiB
start_agent
mark
as_service database dd if=/dev/zero of=/dev/mapper/thin bs=64k count=480 oflag=direct # 30 MiB
wait_event resource.threshold
