#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
start_agent
vgcreate -q -y vg "$disk"
lvcreate -q -y -L 16M -n data vg
mkfs.ext4 -q /dev/vg/data
mkdir -p /srv/data
mount /dev/vg/data /srv/data
lvextend -q -y -L 24M /dev/vg/data
resize2fs /dev/vg/data >/dev/null 2>&1
reader database /dev/vg/data
lvcreate -q -y -s -L 8M -n snap vg/data # suspends and resumes the origin
dd if=/dev/zero of=/srv/data/file bs=64k count=16 conv=fsync status=none
lvremove -q -y vg/snap
systemctl stop database
umount /srv/data
vgremove -q -y vg
