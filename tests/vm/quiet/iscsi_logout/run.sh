#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
start_agent
disk=$(iscsi_disk)
read_at "/dev/$disk" 0 10
sleep 3
iscsiadm -m node -u
sleep 2
