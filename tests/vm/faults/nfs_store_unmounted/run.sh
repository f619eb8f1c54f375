#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_store hard,timeo=30,retrans=2
mark
umount -l /mnt/nfs
ffdcctl dump --reason meanwhile
WAIT_S=60 wait_event store.lost
[ -z "$(ls -A /mnt/nfs)" ]
mark repair
nfs_mount hard,timeo=30,retrans=2
WAIT_S=100 wait_event store.restored
nfs_store_is_whole
