#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_connect 1
start_agent
reader database /dev/nvme0n1
sleep 1
mark
drop 4421
wait_event io.stall
WAIT_S=15 wait_event path.lost
undrop
