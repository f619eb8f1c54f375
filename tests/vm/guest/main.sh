#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The job of a restored machine: runs the test's run.sh, then saves what the agent and the
# kernel know. The host judges (tests/vm/judge.py); the exit code only says that run.sh
# got through.
set -uo pipefail
dmesg --clear

install -D -m 0755 /job/bin/ffdcd /usr/sbin/ffdcd
install -m 0755 /job/bin/ffdcctl /usr/bin/ffdcctl
install -D -m 0640 /job/ffdc.toml /etc/ffdc/ffdc.toml
install -D -m 0644 /job/ffdcd.service /etc/systemd/system/ffdcd.service
install -D -m 0644 /job/guest/ffdcd.conf /etc/systemd/system/ffdcd.service.d/vm.conf

code=0
bash -euE -o pipefail -c 'source /job/guest/lib.sh; trap "trouble \$LINENO \"\$BASH_COMMAND\"" ERR; source /job/test/run.sh; await_expected' || code=$?
bash -c 'source /job/guest/lib.sh; save_results' || code=$?
exit "$code"
