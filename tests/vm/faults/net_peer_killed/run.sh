#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
talker database
mark
systemctl kill --signal=KILL peer
wait_event path.degraded
