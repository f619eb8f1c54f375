#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
talker database
mark
in_peer iptables -I INPUT -p tcp --dport 7000 -j DROP
wait_event path.degraded
