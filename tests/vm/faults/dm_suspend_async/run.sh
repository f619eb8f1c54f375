#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
dm frozen "0 $(sectors "$disk") linear $disk 0"
start_agent
dmsetup suspend --nolockfs frozen
mark
as_service database fio --name=reader --ioengine=libaio --direct=1 --rw=randread --bs=4k --iodepth=4 --number_ios=4 --filename=/dev/mapper/frozen
wait_event io.stall
dmsetup resume frozen
until_ok 30 service_ended database
