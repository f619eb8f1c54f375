#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
nbd_disk
start_agent
reader database /dev/nbd0
# Nobody told the agent where it leads.
until_ok 10 watched_addresses 1
mark
drop 10809
wait_event path.degraded
wait_event io.stall nbd0
undrop
