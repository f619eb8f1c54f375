#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
dm upper "0 $(sectors "$disk") linear $disk 0"
start_agent
as_service database --property="IOReadBandwidthMax=$disk 1K" dd if=/dev/mapper/upper of=/dev/null bs=4k count=3 iflag=direct
until_ok 60 service_ended database
