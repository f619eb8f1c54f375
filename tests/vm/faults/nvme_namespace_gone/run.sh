#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nvme_target
nvme_connect 1
start_agent
# Always one under way: who reads after the namespace is gone gets an end of file, no error.
as_service database dd if=/dev/nvme0n1 of=/dev/null bs=4k iflag=direct
sleep 1
mark
nvme_namespace 0
until_ok 20 service_ended database
