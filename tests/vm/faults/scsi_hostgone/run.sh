#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=$(scsi_debug)
start_agent
reader database "/dev/$disk"
sleep 5 # it is in use
mark
echo -1 >"$SCSI/add_host" # the adapter is pulled: its reader gets an end of file, no error
wait_event path.lost
