#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nfs_server
nfs_mount soft,timeo=20,retrans=1
start_agent
reader database /mnt/nfs/file
sleep 1
mark
drop 2049
wait_event path.lost
WAIT_S=20 until_ok 25 service_ended database
undrop
