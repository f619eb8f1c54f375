#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_port_up 2
start_agent
nvme_connect 1
nvme_connect 2
read_at /dev/nvme0n1 0 10
nvme reset /dev/nvme0
sleep 2
read_at /dev/nvme0n1 0 10
nvme disconnect -d nvme1
sleep 2
read_at /dev/nvme0n1 0 10
nvme disconnect -n "$NQN"
sleep 2
nvme_port_down 1
may_fail nvme connect -t tcp -a 127.0.0.1 -s 4421 -n "$NQN"
