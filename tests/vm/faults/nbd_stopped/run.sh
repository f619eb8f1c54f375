#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nbd_disk
start_agent
read_at /dev/nbd0 0
nbd_server STOP
mark
as_service database dd if=/dev/nbd0 of=/dev/null bs=4k skip=9 count=1 iflag=direct
wait_event io.stall nbd0
nbd_server CONT
until_ok 20 service_ended database
