#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
mkfs.ext4 -q -m 0 "$disk"
mkdir -p /srv/data
mount "$disk" /srv/data
start_agent
mark
as_service database dd if=/dev/zero of=/srv/data/file bs=64k count=100000
until_ok 20 service_ended database
wait_event resource.threshold
