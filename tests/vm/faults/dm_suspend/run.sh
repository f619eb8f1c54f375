#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
dm frozen "0 $(sectors "$disk") linear $disk 0"
start_agent
dmsetup suspend --nolockfs frozen
mark
as_service database dd if=/dev/mapper/frozen of=/dev/null bs=4k count=1 iflag=direct
wait_event io.stall
dmsetup resume frozen
until_ok 15 service_ended database
