#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # expanded by the unit's own shell
unit storage --property=Type=notify --property=NotifyAccess=all --property=WatchdogSec=4 \
	--property=WatchdogSignal=SIGKILL bash -c 'systemd-notify --ready
	until [ -e /run/hang ]; do systemd-notify WATCHDOG=1; sleep 1; done; exec sleep infinity'
start_agent
sleep 1
mark
touch /run/hang
wait_event service.failed
