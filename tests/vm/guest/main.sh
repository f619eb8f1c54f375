#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The job of a restored machine: runs the test's run.sh, then saves what the agent and the
# kernel know. The host judges (tests/vm/judge.py); the exit code only says that run.sh
# got through.
set -uo pipefail

PREPARED=/run/ffdc-vm-prepared

run() { # COMMANDS: with the library, errors on, the control port out of reach
	bash -euE -o pipefail -c 'source /job/guest/lib.sh; trap "trouble \$LINENO \"\$BASH_COMMAND\"" ERR; eval "$1"' main "$1" 9>&-
}

dmesg --clear
if [ ! -e "$PREPARED" ]; then
	install -D -m 0755 /job/bin/ffdcd /usr/sbin/ffdcd
	install -m 0755 /job/bin/ffdcctl /usr/bin/ffdcctl
	install -D -m 0644 /job/ffdcd.service /etc/systemd/system/ffdcd.service
	install -D -m 0644 /job/guest/ffdcd.conf /etc/systemd/system/ffdcd.service.d/vm.conf
fi
install -D -m 0640 /job/ffdc.toml /etc/ffdc/ffdc.toml

if [ ! -e /job/test ]; then
	# What most jobs begin with is done once: from here they go on, by a snapshot of its own.
	run start_agent || exit
	touch "$PREPARED"
	cd / && rm -rf /job
	/usr/lib/ffdc-vm/take-job <&9 >&9 || exit
	exec bash /job/guest/main.sh
fi

code=0
run 'source /job/test/run.sh; await_expected' || code=$?
run save_results || code=$?
exit "$code"
