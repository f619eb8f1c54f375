#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
talker database
mark
in_peer ip link set vb down
wait_event link.down
mark repair
in_peer ip link set vb up
wait_event link.up
