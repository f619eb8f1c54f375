#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_server
nfs_mount hard,timeo=30,retrans=2
start_agent
reader database /mnt/nfs/file
sleep 1
mark
nfs_down
wait_event path.lost
mark repair
nfs_up
wait_event path.restored
