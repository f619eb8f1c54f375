#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
modprobe null_blk nr_devices=1 gb=1 irqmode=2 completion_nsec=4500000000 # null_blk itself gives up after 5 s
udevadm settle
start_agent
mark
as_service database dd if=/dev/nullb0 of=/dev/null bs=4k count=1 iflag=direct
wait_event io.stall nullb0
