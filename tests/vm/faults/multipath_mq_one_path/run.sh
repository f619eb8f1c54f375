#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046 # two names
multipath_map map mq $(scsi_debug add_host=2 vpd_use_hostno=0)
start_agent
reader database /dev/mapper/map
sleep 1

mark
path_state sda offline
wait_event path.degraded
