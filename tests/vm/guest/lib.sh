#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every run.sh may use. run.sh is sourced with errexit: what is meant to fail is run
# through `fails` or `may_fail`.

PATIENCE=$(</job/patience)                # more than 1 on machines that do other work meanwhile
WAIT_S=12                                 # for one event
SETTLE_S=2                                # for events that must not come
EVENTS=/run/ffdc-vm-events                # one JSON event a line, as they come

note() { printf '[%s] %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }

trouble() { # LINE COMMAND: the trap on ERR
	note "run.sh failed near line $1: $2" >&2
}

die() {
	note "$*" >&2
	exit 1
}

until_ok() { # SECONDS COMMAND...: waits until the command succeeds
	local limit=$((SECONDS + $1 * PATIENCE))
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

# shellcheck disable=SC1091 # lies there in the guest
source /job/guest/transports.sh

# --- the agent --------------------------------------------------------------------------

start_agent() { # the first time; it may run since before the job
	if [ -e "$EVENTS" ]; then
		# It takes in what came since: programs of modules, devices, paths. An emulated processor needs
		# seconds for that, and what fails meanwhile is a test of the processor.
		for _ in 1 2 3; do
			until_ok 30 ffdcctl status >/dev/null
			sleep 0.6
		done
		return
	fi
	# systemd reads the unit now, for the first time: a reload would only cost time.
	systemctl start ffdcd || {
		cat /out/ffdcd.log
		die "ffdcd did not start"
	}
	ffdcctl event watch --json >"$EVENTS" 2>/out/watch.log &
	disown
	note "the agent answers"
}

watched_addresses() { # COUNT: so many far ends carry storage, as far as the agent knows
	ffdcctl probe list --json | grep -qE "\"attached_to\": *\"$1 addresses: $1 storage\""
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

seen() { # KIND [SUBJECT_NAME]: or how they begin
	grep -F "\"kind\":\"$1" "$EVENTS" 2>/dev/null | grep -qF "${2:+\"name\":\"$2}"
}

wait_event() { # KIND [SUBJECT_NAME]: until it is there, or long enough; the host judges
	local limit=$((SECONDS + WAIT_S * PATIENCE))
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
	local kind name limit=$((SECONDS + WAIT_S * PATIENCE))
	[ -e "$EVENTS" ] || die "run.sh did not start the agent"
	while IFS='|' read -r kind name; do
		until seen "$kind" "$name" || [ "$SECONDS" -ge "$limit" ]; do sleep 0.1; done
	done </job/expected
	sleep "$SETTLE_S"
}

save_results() {
	local what id
	# What the agent does not answer, the host misses.
	set +e
	trap - ERR
	systemctl show ffdcd -p ActiveState -p SubState -p ExecMainCode -p ExecMainStatus -p NRestarts >/out/ffdcd.state
	for what in status 'probe list' 'event list' 'incident list'; do
		# shellcheck disable=SC2086 # two words
		timeout "$((20 * PATIENCE))" ffdcctl $what --json >"/out/${what// /-}.json" 2>>/out/ffdcctl.log
	done
	while read -r id; do
		timeout "$((20 * PATIENCE))" ffdcctl incident show "$id" --json >"/out/incident-$id.json" 2>>/out/ffdcctl.log
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
	# The unit outlives its command: whoever asks whose I/O failed can still be told.
	# shellcheck disable=SC2016 # expanded by the unit's own shell
	unit "$name" bash -c '"$@"; echo "$?" >"/run/ended-$0"; exec sleep infinity' "$name" "$@"
}

unit() { # NAME [OPTION OF systemd-run...] COMMAND...
	local name=$1
	shift
	systemd-run --quiet --unit="$name" --working-directory=/ \
		--property=StandardOutput=append:/out/client.log --property=StandardError=append:/out/client.log "$@"
}

service_ended() { # NAME: its command ended, well or not
	[ -e "/run/ended-$1" ]
}

read_at() { # DEVICE BLOCK [COUNT]: blocks of 4 KiB, past the page cache
	dd if="$1" of=/dev/null bs=4k skip="$2" count="${3:-1}" iflag=direct status=none
}

write_at() { # DEVICE BLOCK [COUNT]
	dd if=/dev/zero of="$1" bs=4k seek="$2" count="${3:-1}" oflag=direct conv=notrunc status=none
}

# A unit that holds the device open and reads it block by block, ten a second, until it ends.
# shellcheck disable=SC2016 # expanded by the unit's own shell
READER='exec 3<"$0"; while dd bs=4k count=1 iflag=direct status=none <&3 >/dev/null; do sleep 0.1; done'
reader() { # NAME DEVICE
	as_service "$1" bash -c "$READER" "$2"
}

# A unit that makes a file after the other, each on the disk before the next, until one fails.
# shellcheck disable=SC2016 # expanded by the unit's own shell
WRITER='n=0; while dd if=/dev/zero of=$0/new$((n % 8)) bs=4k count=1 conv=fsync status=none; do n=$((n + 1)); sleep 0.1; done'
writer() { # NAME FOLDER
	as_service "$1" bash -c "$WRITER" "$2"
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
	# Whatever udev wants to read from it now, nobody waits for.
	dmsetup resume --noudevsync "$1"
}
