#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
unit storage sleep infinity
start_agent
sleep 1
mark
systemctl kill --signal=KILL storage
wait_event service.failed
