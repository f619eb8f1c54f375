#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
unit storage sleep infinity
start_agent
sleep 1
systemctl stop storage
sleep 1
