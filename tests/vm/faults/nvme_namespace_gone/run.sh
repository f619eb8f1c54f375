#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_connect 1
start_agent
reader database /dev/nvme0n1
sleep 1
mark
nvme_namespace 0
until_ok 20 service_ended database
