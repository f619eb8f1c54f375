#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_store hard,timeo=30,retrans=2
mark
nfs_export ro
ffdcctl dump --reason meanwhile
WAIT_S=60 wait_event store.lost
mark repair
nfs_export rw
WAIT_S=100 wait_event store.restored
nfs_store_is_whole
