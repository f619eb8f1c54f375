#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_store hard,timeo=30,retrans=2
mark
exportfs -i -o ro,no_root_squash,insecure,fsid=0,no_subtree_check '*:/srv/export'
ffdcctl dump --reason meanwhile
WAIT_S=60 wait_event store.lost
mark repair
exportfs -i -o rw,no_root_squash,insecure,fsid=0,no_subtree_check '*:/srv/export'
WAIT_S=100 wait_event store.restored
nfs_store_is_whole
