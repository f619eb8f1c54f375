#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_connect 1
start_agent
reader database /dev/nvme0n1
sleep 1
mark
nvme_port_down 1
wait_event path.lost
mark repair
nvme_port_up 1
wait_event path.restored
