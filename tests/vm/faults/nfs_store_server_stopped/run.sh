#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_store hard,timeo=30,retrans=2
mark
nfs_down
ffdcctl dump --reason meanwhile
WAIT_S=100 wait_event store.lost
sleep 60
mark repair
nfs_up
WAIT_S=200 wait_event store.restored
nfs_store_is_whole
