#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046 # two names
multipath_map map mq $(scsi_debug add_host=2 vpd_use_hostno=0)
start_agent
reader database /dev/mapper/map
sleep 1

mark
path_state sda offline
path_state sdb offline
wait_event path.lost
wait_event io.stall
mark repair
reinstate map sda sdb
wait_event path.restored
