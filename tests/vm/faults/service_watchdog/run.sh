#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
unit storage --property=Type=notify --property=NotifyAccess=all --property=WatchdogSec=3 \
	--property=WatchdogSignal=SIGKILL bash -c 'systemd-notify --ready; systemd-notify WATCHDOG=1; exec sleep infinity'
start_agent
mark
wait_event service.failed
