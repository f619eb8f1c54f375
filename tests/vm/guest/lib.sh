#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every run.sh may use. run.sh is sourced with errexit: what is meant to fail is run
# through `fails` or `may_fail`.

WAIT_S=${WAIT_S:-12}           # for one event; the slowest machine has two guests on one core
SETTLE_S=${SETTLE_S:-2}        # for events that must not come
EVENTS=/run/ffdc-vm-events     # one JSON event a line, as they come

note() { printf '[%s] %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }

trouble() { # LINE COMMAND: the trap on ERR
	note "run.sh failed near line $1: $2" >&2
}

die() {
	note "$*" >&2
	exit 1
}

until_ok() { # SECONDS COMMAND...: waits until the command succeeds
	local limit=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$limit" ] || die "waited in vain for: $*"
		sleep 0.1
	done
}

fails() { # COMMAND...: it must
	if "$@"; then die "succeeded, but should have failed: $*"; fi
}

may_fail() { "$@" || note "exit $? of: $*"; }

# --- the agent --------------------------------------------------------------------------

start_agent() {
	systemctl daemon-reload
	systemctl start ffdcd || {
		cat /out/ffdcd.log
		die "ffdcd did not start"
	}
	until_ok 30 ffdcctl status
	ffdcctl event watch --json >"$EVENTS" 2>/out/watch.log &
	disown
	note "the agent answers"
}

monotonic_ns() { # CLOCK_MONOTONIC, without starting a program
	local line
	while read -r line; do
		[[ $line =~ ^now\ at\ ([0-9]+)\ nsecs ]] || continue
		echo "${BASH_REMATCH[1]}"
		return
	done </proc/timer_list
	die "/proc/timer_list tells no time"
}

mark() { # [NAME]: from here, time to detection counts
	monotonic_ns >"/out/mark${1:+-$1}"
	note "injected${1:+: $1}"
}

seen() { # KIND [NAME]
	grep -F "\"kind\":\"$1\"" "$EVENTS" 2>/dev/null | grep -qF "${2:+\"name\":\"$2\"}"
}

wait_event() { # KIND [SUBJECT_NAME]: until it is there, or long enough; the host judges
	local limit=$((SECONDS + WAIT_S))
	until seen "$@"; do
		[ "$SECONDS" -lt "$limit" ] || {
			note "waited $WAIT_S s in vain for event $*"
			return 0
		}
		sleep 0.1
	done
	note "event $*"
}

await_expected() { # every kind that expect.json names, then the time for those it forbids
	local kind name limit=$((SECONDS + WAIT_S))
	[ -e "$EVENTS" ] || die "run.sh did not start the agent"
	while read -r kind name; do
		until seen "$kind" "$name" || [ "$SECONDS" -ge "$limit" ]; do sleep 0.1; done
	done </job/expected
	sleep "$SETTLE_S"
}

save_results() {
	local what id
	systemctl show ffdcd -p ActiveState -p SubState -p ExecMainCode -p ExecMainStatus -p NRestarts >/out/ffdcd.state
	for what in status 'probe list' 'event list' 'incident list'; do
		# shellcheck disable=SC2086 # two words
		timeout 20 ffdcctl $what --json >"/out/${what// /-}.json" 2>>/out/ffdcctl.log
	done
	while read -r id; do
		timeout 20 ffdcctl incident show "$id" --json >"/out/incident-$id.json" 2>>/out/ffdcctl.log
	done < <(grep -ohE '"incident_id": *"[0-9a-f-]{36}"' /out/event-list.json /out/incident-list.json |
		grep -oE '[0-9a-f-]{36}' | sort -u)
	dmesg >/out/dmesg
	[ ! -e "$EVENTS" ] || cp "$EVENTS" /out/watched.jsonl
	uname -r >/out/uname
}

# --- clients ----------------------------------------------------------------------------

as_service() { # NAME COMMAND...: in the background, as the unit NAME.service
	local name=$1
	shift
	systemd-run --quiet --collect --unit="$name" --working-directory=/ \
		--property=StandardOutput=append:/out/client.log --property=StandardError=append:/out/client.log "$@"
}

service_ended() { # NAME
	! systemctl is-active --quiet "$1"
}

read_at() { # DEVICE BLOCK [COUNT]: blocks of 4 KiB, past the page cache
	dd if="$1" of=/dev/null bs=4k skip="$2" count="${3:-1}" iflag=direct status=none
}

write_at() { # DEVICE BLOCK [COUNT]
	dd if=/dev/zero of="$1" bs=4k seek="$2" count="${3:-1}" oflag=direct conv=notrunc status=none
}

# A unit that reads the device block by block, ten a second, until it ends.
# shellcheck disable=SC2016 # expanded by the unit's own shell
READER='n=0; while dd if=$0 of=/dev/null bs=4k skip=$((n % 256)) count=1 iflag=direct status=none; do n=$((n + 1)); sleep 0.1; done'
reader() { # NAME DEVICE
	as_service "$1" bash -c "$READER" "$2"
}

# --- devices ----------------------------------------------------------------------------

SCSI=/sys/bus/pseudo/drivers/scsi_debug

scsi_debug() { # [PARAMETER...]: prints the names of its disks
	modprobe scsi_debug dev_size_mb=64 delay=0 "$@"
	udevadm settle
	until_ok 10 scsi_disks
	scsi_disks
}

scsi_disks() {
	local block found=()
	for block in "$SCSI"/adapter*/host*/target*/*:*/block/*; do
		[ ! -b "/dev/${block##*/}" ] || found+=("${block##*/}")
	done
	[ "${#found[@]}" -gt 0 ] && echo "${found[@]}"
}

sectors() { blockdev --getsz "$1"; }

dm() { # NAME TABLE: prints the kernel's name of the new device
	dmsetup create "$1" --table "$2"
	udevadm settle
	basename "$(readlink -f "/dev/mapper/$1")"
}

dm_replace() { # NAME TABLE: as multipath and LVM do, with I/O in flight
	dmsetup load "$1" --table "$2"
	dmsetup suspend --nolockfs --noflush "$1"
	dmsetup resume "$1"
}
