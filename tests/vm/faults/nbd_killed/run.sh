#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nbd_disk -timeout 3
start_agent
reader database /dev/nbd0
sleep 1
mark
nbd_server KILL
until_ok 20 service_ended database
