#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
ip neighbour flush dev va
in_peer ip link set vb arp off # it answers no one any more
mark
as_service database python3 /job/guest/echo.py talk "$PEER"
wait_event link.down
