#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
peer_network
start_agent
ip link add spare0 type veth peer name spare1
ip link set spare0 up
ip link set spare1 up
sleep 1
ip link set spare1 down
sleep 1
ip link set spare1 up
ip link delete spare0
