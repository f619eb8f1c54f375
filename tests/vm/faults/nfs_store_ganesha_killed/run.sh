#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Not 4.2: with it, Linux 6.12 was seen to read back zeros from nfs-ganesha 4.3.
nfs_store hard,timeo=30,retrans=2 ganesha_server 4.1
ffdcctl dump --reason meanwhile
until_ok 60 half_sent
mark
ganesha_killed
WAIT_S=100 wait_event store.lost
sleep 60
mark repair
ganesha_up
WAIT_S=200 wait_event store.restored
nfs_store_is_whole
