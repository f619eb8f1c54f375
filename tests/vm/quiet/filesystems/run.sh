#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug dev_size_mb=320)
start_agent
mkdir -p /srv/data
for kind in ext4 xfs btrfs; do
	options=(-q)
	[ "$kind" = ext4 ] || options+=(-f)
	mkfs."$kind" "${options[@]}" "$disk"
	mount -o discard "$disk" /srv/data
	dd if=/dev/zero of=/srv/data/file bs=64k count=32 conv=fsync status=none
	rm /srv/data/file
	sync
	may_fail fstrim /srv/data
	umount /srv/data
	wipefs -qa "$disk"
done
mkfs.ext4 -q "$disk"
fsck.ext4 -fy "$disk" >/dev/null
