#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
modprobe -r nvme_tcp nvme_fabrics nvme nvme_core 2>/dev/null || true
nvme_target multipath=N
nvme_connect 1 6
start_agent
reader database /dev/nvme0n1
sleep 1
mark
nvme_port_down 1
until_ok 30 service_ended database
