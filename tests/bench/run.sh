#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BIN_DIR OUT_JSON: measures what the design promises, prints a table and writes
# JSON. Exits 0 even where a target is missed (it says so), 1 if something could not be
# measured. BENCH_RUNS, BENCH_STORM, BENCH_FREEZES, BENCH_SEALS, BENCH_SHIP_MIB, BENCH_HUNG_DISKS,
# BENCH_IDLE_SECONDS and BENCH_RADOS_MIB make it shorter. Needs root, fio, libbpf-tools and Ceph's daemons.
set -euo pipefail

bin=$(cd "${1:?usage: run.sh BIN_DIR OUT_JSON}" && pwd)
out=$(realpath "${2:?usage: run.sh BIN_DIR OUT_JSON}")
here=$(cd "$(dirname "$0")" && pwd)

for program in ffdcd ffdcctl bpf_cost fail_reads rados_cost shown faultfs; do
	[ -x "$bin/$program" ] || { echo "bench: there is no $bin/$program: build with -DFFDC_TESTS=ON" >&2; exit 1; }
done
FFDC_BIN=$bin PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/bench.py" "$out"
