#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
vgcreate -q -y vg "$disk"
lvcreate -q -y --type thin-pool -L 32M -n pool vg
lvcreate -q -y -V 60M --thinpool pool -n thin vg
dmsetup message vg-pool-tpool 0 'set_transaction_id 0 0' 2>/dev/null || true
udevadm settle
start_agent
mark
as_service database dd if=/dev/zero of=/dev/vg/thin bs=64k count=640 oflag=direct
wait_event resource.threshold
