#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(iscsi_disk)
start_agent
reader database "/dev/$disk"
sleep 1
mark
drop 3260
wait_event io.stall
WAIT_S=20 wait_event io.error
undrop
