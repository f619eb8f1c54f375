#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
talker database
mark
tc qdisc add dev va root netem loss 100%
wait_event path.degraded
