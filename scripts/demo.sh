#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh BIN_DIR: a block device of its own really fails, and the agent makes an
# incident of it. Exits 0 only if every step really happened; cleans up after itself.
set -euo pipefail

bin=$(cd "${1:?usage: demo.sh BIN_DIR}" && pwd)
if [ "$(id -u)" != 0 ]; then
	echo "demo: needs root, to attach BPF programs and a loop device: run 'sudo make demo'" >&2
	exit 1
fi

# Not /tmp: a tmpfs may refuse direct I/O, without which loop devices before Linux
# 6.15 read zeroes where their file was cut.
work=$(mktemp -d /var/tmp/ffdc-demo.XXXXXX)
runtime=$(mktemp -d /dev/shm/ffdc-demo.XXXXXX)
agent=
loop=
cgroup=

cleanup() {
	if [ -n "$agent" ] && kill "$agent" 2>/dev/null; then wait "$agent" || true; fi
	[ -z "$loop" ] || losetup -d "$loop" || true
	[ -z "$cgroup" ] || rmdir "$cgroup" || true
	rm -rf "$work" "$runtime"
}
trap cleanup EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() {
	printf '\ndemo: FAILED: %s\n' "$*" >&2
	[ ! -s "$work/log" ] || { echo "the agent's log:" >&2; tail -30 "$work/log" >&2; }
	exit 1
}

# Runs a command in a cgroup of its own, as a service would be, so that the
# incident can say who was hurt.
make_cgroup() {
	local root
	for root in /sys/fs/cgroup/blkio /sys/fs/cgroup; do
		[ -e "$root/cgroup.procs" ] || continue
		cgroup=$root/ffdc-demo-database-$$.service
		if mkdir "$cgroup" 2>/dev/null; then return; fi
	done
	cgroup=
}
as_client() {
	if [ -n "$cgroup" ]; then
		# shellcheck disable=SC2016 # expanded by the inner shell
		bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"
	else
		"$@"
	fi
}

say "1. A disk of 16 MiB: a loop device over a file of its own"
truncate -s 16M "$work/disk.img"
loop=$(losetup --find --show --direct-io=on "$work/disk.img")
name=${loop##*/}
make_cgroup
echo "$loop"

say "2. The agent, with built-in defaults but for its folders and that disk"
cat >"$work/ffdc.toml" <<TOML
[node]
name = "demo-node"
[store]
url = "dir:$work/store"
[spool]
path = "$work/spool"
[capture]
runtime_dir = "$runtime"
[control]
socket = "$work/ffdcd.sock"
[devices]
include = ["$name"]
TOML
"$bin/ffdcd" --config "$work/ffdc.toml" >"$work/log" 2>&1 &
agent=$!
export FFDC_SOCKET=$work/ffdcd.sock
ctl() { "$bin/ffdcctl" "$@"; }
for _ in $(seq 100); do
	ctl status >/dev/null 2>&1 && break
	kill -0 "$agent" 2>/dev/null || { agent=; fail "the agent ended: $(tail -1 "$work/log")"; }
	sleep 0.1
done
ctl status || fail "the agent does not answer"

say "3. 200 good reads, then the disk loses everything behind its first MiB, and a read fails"
as_client dd if="$loop" of=/dev/null bs=4k count=200 iflag=direct status=none || fail "the good reads failed"
truncate -s 1M "$work/disk.img"
if as_client dd if="$loop" of=/dev/null bs=4k skip=1000 count=1 iflag=direct status=none 2>"$work/dd.log"; then
	fail "the read of a lost sector succeeded"
fi
cat "$work/dd.log"

say "4. The incident"
id=
for _ in $(seq 300); do
	ctl incident list --json >"$work/list.json"
	id=$(sed -n 's/.*"id": *"\([0-9a-f-]\{36\}\)".*/\1/p' "$work/list.json" | head -1)
	[ -n "$id" ] && ctl incident show "$id" --json | grep -q '"STORED"' && break
	sleep 0.1
done
[ -n "$id" ] || fail "no incident was opened"
ctl incident show "$id" --json >"$work/show.json"
ctl incident show "$id"
for expected in '"kind": *"io.error"' '"state": *"STORED"' "\"name\": *\"$name\"" '"sector": *"8000"'; do
	grep -q "$expected" "$work/show.json" || fail "the incident does not say $expected"
done
if [ -n "$cgroup" ]; then
	grep -q "$(basename "$cgroup")" "$work/show.json" || fail "the incident does not name who was hurt"
fi

say "5. Every checksum, by ffdcctl and by the field's own tools"
ctl incident verify "$id" || fail "verify found something wrong"
ctl incident pull "$id" -o "$work/incident.tar" || fail "pull failed"
tar -C "$work" -xf "$work/incident.tar"
archive=$work/$id/demo-node/capture.tar.zst
sum=$(sha256sum "$archive" | cut -d' ' -f1)
grep -q "\"archive_sha256\": *\"$sum\"" "$work/$id/demo-node/manifest.json" || fail "the archive's SHA-256 is not the manifest's"
mkdir "$work/capture"
tar -C "$work/capture" --use-compress-program='zstd -d' -xf "$archive" 2>/dev/null ||
	tar -C "$work/capture" -xf "$archive"
lines=$(grep -c '"latency_ns"' "$work/capture/io-history.jsonl")
[ "$lines" -ge 201 ] || fail "the I/O history has $lines requests, not the 201 that were made"
grep -q '"sector":8000.*"status":"[^o]' "$work/capture/io-history.jsonl" || fail "the failed read is not in the I/O history"
echo "io-history.jsonl: $lines requests, the 200 good ones before the failure among them"

say "The demo did what it promised. Incident $id was detected, captured, stored and verified."
