#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
start_agent
unit throttled --property="IOReadBandwidthMax=$disk 1K" dd if="$disk" of=/dev/null bs=4k count=1 iflag=direct
sleep 6
