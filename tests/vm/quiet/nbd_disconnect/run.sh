#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
start_agent
nbd_disk -timeout 3
read_at /dev/nbd0 0 10
# The server is known from the first request that the agent's program sees.
known() { read_at /dev/nbd0 0 && watched_addresses 1; }
until_ok 10 known
nbd-client -d /dev/nbd0
sleep 2
may_fail nbd_server KILL # it may have ended with its only client
until_ok 10 watched_addresses 0
