#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_server
start_agent
nfs_mount hard,timeo=30,retrans=2
dd if=/mnt/nfs/file of=/dev/null bs=64k status=none
dd if=/dev/zero of=/mnt/nfs/new bs=64k count=16 conv=fsync status=none
umount /mnt/nfs
nfs_down
