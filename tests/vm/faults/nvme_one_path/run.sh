#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_port_up 2
nvme_connect 1
nvme_connect 2
start_agent
reader database /dev/nvme0n1
sleep 1
mark
nvme_port_down 1
wait_event path.degraded
