# SPDX-License-Identifier: Apache-2.0
"""Measures what the design promises, on this machine, and prints it beside the promise.

Every measurement is made RUNS times, in turns, so that a busy minute of the machine hits
all of them alike; the median counts. Exit 1 only if something could not be measured."""

import glob
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import rados_bench  # noqa: E402 pylint: disable=wrong-import-position
from disks import KEEP, FaultFs, LoopDisk, Shown, settle_udev  # noqa: E402 pylint: disable=wrong-import-position
from harness import BIN, DISK_DIR, Agent, capture_of, sha256, stat_fields, wait_for  # noqa: E402 pylint: disable=wrong-import-position

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
STORM_FAILURES = int(os.environ.get("BENCH_STORM", "1000000"))
IDLE_SECONDS = float(os.environ.get("BENCH_IDLE_SECONDS", "30"))
FREEZES = int(os.environ.get("BENCH_FREEZES", "1000")) // RUNS  # in each run
SEALS = int(os.environ.get("BENCH_SEALS", "100")) // RUNS

SHIP_MIB = int(os.environ.get("BENCH_SHIP_MIB", "256"))
HUNG_DISKS = int(os.environ.get("BENCH_HUNG_DISKS", "20"))
HUNG_CALLS = 50

MIB = 1 << 20


def percentile(values, percent):
    """The smallest value that `percent` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def cpu_ns(pid):
    """What the threads of a process have run, and what its ended children had run."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        except OSError:
            pass  # a thread that has ended
    fields = stat_fields(pid)
    ticks = int(fields[13]) + int(fields[14])  # cutime, cstime
    return total + ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def pss_bytes(pid):
    """As RSS, but a page that is shared counts for each of its users only in part."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no Pss in smaps_rollup")


class Bed:
    """An agent and its disks, gone at the end."""

    def __init__(self, disks, size=16 * MIB, **config):
        self.folder = tempfile.mkdtemp(prefix="ffdc-bench.", dir=DISK_DIR)
        self.runtime = tempfile.mkdtemp(prefix="ffdc-bench.", dir="/dev/shm")
        self.disks = [LoopDisk(self.folder, size, settle=False) for _ in range(disks)]
        settle_udev()  # once for all of them
        self.agent = Agent(self.folder, self.runtime, self.disks, config=config)

    def __enter__(self):
        self.agent.start()
        return self

    def __exit__(self, failed, *_):
        try:
            if self.agent.alive() and not failed:
                self.agent.stop()
        finally:
            self.agent.kill()
            for disk in self.disks:
                disk.restore()
            if failed:
                print(self.agent.log()[-4000:], file=sys.stderr)
            shutil.rmtree(self.folder, True)
            shutil.rmtree(self.runtime, True)

    def processes(self):
        """The agent and its launcher; then its workers."""
        own = [self.agent.process.pid, self.agent.launcher_pid()]
        return own, [pid for pid in self.agent.pids() if pid not in own]

    def cpu_ns(self):
        return sum(cpu_ns(pid) for pid in self.processes()[0])


class Results:
    """Values by name; the order is that of the table."""

    def __init__(self):
        self.rows = {}

    def declare(self, key, what, target, unit, is_met):
        self.rows[key] = {"what": what, "target": target, "unit": unit, "runs": [], "is_met": is_met}

    def add(self, key, value):
        self.rows[key]["runs"].append(value)

    def finished(self):
        rows = []
        for key, row in self.rows.items():
            row = dict(row, key=key)
            is_met = row.pop("is_met")
            if row["runs"]:
                row["median"] = statistics.median(row["runs"])
                row["min"], row["max"] = min(row["runs"]), max(row["runs"])
                row["met"] = bool(is_met(row["median"]))
            else:
                row["median"] = row["min"] = row["max"] = row["met"] = None
            rows.append(row)
        return rows


def declare_all(results):
    ok = results.declare
    ok("cost_ns", "added cost per good I/O, net of an empty program", "<= 100", "ns", lambda v: v <= 100)
    ok("all_cost_ns", "  the same of all programs together", "<= 150", "ns", lambda v: v <= 150)
    ok("biolatency_ns", "  the same of biolatency (libbpf-tools)", "", "ns", lambda v: True)
    ok("cost_of_biolatency", "  ours as a share of biolatency's", "<= 0.25", "", lambda v: v <= 0.25)
    ok("good_records", "records sent to user space while nothing fails", "0", "", lambda v: v == 0)
    ok("frozen_p50_ms", "kernel failure -> history frozen, p50", "", "ms", lambda v: True)
    ok("frozen_p99_ms", "kernel failure -> history frozen, p99", "<= 1", "ms", lambda v: v <= 1)
    ok("sealed_p50_s", "kernel failure -> capture sealed, p50", "<= 1.5", "s", lambda v: v <= 1.5)
    ok("sealed_p99_s", "kernel failure -> capture sealed, p99", "<= 5", "s", lambda v: v <= 5)
    ok("storm_rate", "storm: failing requests a second", "", "1/s", lambda v: True)
    ok("storm_incidents", "storm: incidents", "1", "", lambda v: v == 1)
    ok("storm_hidden", "storm: failures this machine hides from BPF", "", "", lambda v: True)
    ok("storm_miscounted", "storm: of the others, counted wrong", "0", "", lambda v: v == 0)
    ok("storm_cpu_percent", "storm: agent, of one core", "<= 10", "%", lambda v: v <= 10)
    ok("storm_rss_mib", "storm: RSS of the agent, highest", "<= 64", "MiB", lambda v: v <= 64)
    ok("ship_mib_s", "shipping into a directory", "", "MiB/s", lambda v: True)
    ok("ship_of_tar", "  as a share of tar | zstd + fsync to the same place", ">= 0.8", "", lambda v: v >= 0.8)
    ok("ship_of_checked", "  as a share of tar | zstd + fsync + sha256sum from the disk", ">= 0.8", "", lambda v: v >= 0.8)
    ok("ship_of_cached", "  as a share of tar | zstd that may stay in memory", "", "", lambda v: True)
    ok("hung_frozen", "store hung: failure -> frozen, p99 of the healthy", "<= 1.1", "", lambda v: v <= 1.1)
    ok("hung_sealed", "store hung: failure -> sealed, p99 of the healthy", "<= 1.1", "", lambda v: v <= 1.1)
    ok("hung_ctl", "store hung: ffdcctl status, p99 of the healthy", "<= 1.1", "", lambda v: v <= 1.1)
    ok("idle_rss_mib", "idle: RSS of the agent", "<= 40", "MiB", lambda v: v <= 40)
    ok("idle_pss_mib", "idle: agent and launcher, shared pages once", "<= 40", "MiB", lambda v: v <= 40)
    ok("idle_cpu_percent", "idle: agent and launcher, of one core", "<= 0.2", "%", lambda v: v <= 0.2)
    ok("rados_mib_per_s", "a capture into Ceph, checked", "", "MiB/s", lambda v: True)
    ok("rados_of_bare", "  as a share of a loop on librados alone", ">= 0.8", "", lambda v: v >= 0.8)
    ok("rados_of_checked", "  as a share of that loop with the OSD's checksum of each part", ">= 0.8", "",
       lambda v: v >= 0.8)
    ok("rados_rss_mib", "  RSS of agent and worker meanwhile, highest", "<= 128", "MiB", lambda v: v <= 128)


def measure_rados(results):
    rados_bench.measure(results, Bed)


def measure_cost(results):
    """fio 4 KiB random reads, queue depth 32, on a loop device over tmpfs, under an empty
    program, under block_io and under biolatency; times by the kernel's account of its programs."""
    done = subprocess.run([os.path.join(BIN, "bpf_cost")], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"bpf_cost ended with {done.returncode}")
    cost = json.loads(done.stdout)
    results.add("cost_ns", cost["block_io_net_ns"])
    results.add("all_cost_ns", cost["all_net_ns"])
    results.add("biolatency_ns", cost["biolatency_net_ns"])
    results.add("cost_of_biolatency", cost["share_of_biolatency"])
    return cost


def measure_good_records(results):
    with Bed(1) as bed:
        if bed.disks[0].read(4096) + bed.disks[0].write(4096) != 0:
            raise RuntimeError("good I/O failed")
        probes = bed.agent.ctl_json("probe", "list")["probes"]
        results.add("good_records", sum(int(probe["records"]) for probe in probes))


def measure_freeze(results):
    """Distinct first failures, 20 ms apart, each on a disk of its own: each freezes."""
    with Bed(FREEZES, size=2 * MIB, incident={"quiet_after": "1h"}) as bed:
        for disk in bed.disks:
            disk.lose()
        for disk in bed.disks:
            disk.read(1, first=300)
            time.sleep(0.02)
        agent = bed.agent
        incidents = wait_for(lambda: len(agent.incidents()) == FREEZES and agent.incidents(), "every incident")
        incidents = agent.wait_incidents(FREEZES, "STORED", timeout=600)
        frozen = [int(capture_of(i)["frozen_after_ns"]) for i in incidents]
        results.add("frozen_p50_ms", percentile(frozen, 50) / 1e6)
        results.add("frozen_p99_ms", percentile(frozen, 99) / 1e6)
        return frozen


def measure_seal(results):
    """One failure at a time, each of a disk that was quiet before."""
    with Bed(SEALS, size=2 * MIB, incident={"quiet_after": "1h"}) as bed:
        sealed = []
        for number, disk in enumerate(bed.disks, 1):
            disk.read(200)
            disk.lose()
            disk.read(1, first=300)
            incidents = bed.agent.wait_incidents(number, "STORED", timeout=60)
            sealed.append(int(capture_of(incidents[-1])["sealed_after_ns"]))
        results.add("sealed_p50_s", percentile(sealed, 50) / 1e9)
        results.add("sealed_p99_s", percentile(sealed, 99) / 1e9)
        return sealed


class Watcher(threading.Thread):
    """Samples the resident size of the whole group while something else runs."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.highest, self.over = agent, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.25):
            total = 0
            for pid in self.agent.pids():
                try:
                    total += rss_bytes(pid)
                except OSError:
                    pass
            self.highest = max(self.highest, total)


def measure_storm(results):
    with Bed(1, incident={"quiet_after": "60s"}) as bed:
        disk, agent = bed.disks[0], bed.agent
        disk.lose()
        shown = Shown(disk)
        watcher = Watcher(agent)
        watcher.start()
        cpu_before = bed.cpu_ns()
        done = subprocess.run([os.path.join(BIN, "fail_reads"), disk.path, str(STORM_FAILURES), str(KEEP)],
                              capture_output=True, text=True, check=True)
        seconds = json.loads(done.stdout)["seconds"]
        failed, missed = shown.end()
        incident_id = wait_for(agent.incidents, "the storm's incident")[0]["id"]
        wait_for(lambda: agent.counted(incident_id) >= failed + missed, "the storm's count", poll=0.5)
        # All that the storm cost until its count was told, over the time that the storm took.
        cpu = (bed.cpu_ns() - cpu_before) / (seconds * 1e9)
        watcher.over.set()
        watcher.join()
        agent.wait_stored()
        results.add("storm_rate", STORM_FAILURES / seconds)
        results.add("storm_incidents", len(agent.incidents()))
        time.sleep(1.2)  # a tick more: it must not count on
        results.add("storm_hidden", STORM_FAILURES - failed - missed)
        results.add("storm_miscounted", abs(agent.counted(incident_id) - failed - missed))
        results.add("storm_cpu_percent", cpu * 100)
        results.add("storm_rss_mib", agent.rss_bytes() / MIB)
        return watcher.highest / MIB


def measure_idle(results):
    with Bed(1) as bed:
        time.sleep(3)  # what the start takes is not idle
        own, _ = bed.processes()
        before, begin = bed.cpu_ns(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        share = (bed.cpu_ns() - before) / ((time.monotonic() - begin) * 1e9)
        results.add("idle_cpu_percent", share * 100)
        results.add("idle_rss_mib", rss_bytes(own[0]) / MIB)
        results.add("idle_pss_mib", sum(pss_bytes(pid) for pid in own) / MIB)


def sealed_capture(folder, incident_id, raw):
    """As the agent leaves it in its spool, of one file."""
    os.makedirs(folder)
    archive = os.path.join(folder, "capture.tar.zst")
    pack(raw, archive)
    manifest = {"format": 1, "incident_id": incident_id, "cluster": "default", "node": "node1",
                "trigger": {"kind": "manual"}, "archive": "capture.tar.zst",
                "archive_bytes": os.path.getsize(archive), "archive_sha256": sha256(archive)}
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file)


def pack(raw, target):
    command = 'set -o pipefail; tar -C "$0" -cf - raw | zstd -q -f -o "$1"'
    subprocess.run(["bash", "-c", command, os.path.dirname(raw), target], check=True)


def measure_shipping(results):
    """A capture of incompressible data, sent, fsynced and read back, against tar | zstd of the same."""
    with tempfile.TemporaryDirectory(prefix="ffdc-bench.", dir=DISK_DIR) as folder:
        raw = os.path.join(folder, "raw")
        subprocess.run(["dd", "if=/dev/urandom", f"of={raw}", "bs=1M", f"count={SHIP_MIB}", "status=none"],
                       check=True)
        runtime = os.path.join(folder, "runtime")
        agent = Agent(folder, runtime, config={"devices": {"include": ["none"]}})
        incident_id = f"{int(time.time() * 1000):012x}"
        incident_id = f"{incident_id[:8]}-{incident_id[8:]}-7000-8000-{os.getpid():012x}"
        sealed_capture(os.path.join(agent.spool, "sealed", incident_id), incident_id, raw)
        os.makedirs(agent.store)
        # What is in the store has reached the disk, and was read back from there: so is the baseline.
        base = os.path.join(agent.store, "base.tar.zst")
        begin = time.monotonic()
        pack(raw, base)
        cached_s = time.monotonic() - begin
        subprocess.run(["sync", base], check=True)
        tar_s = time.monotonic() - begin
        subprocess.run(["dd", f"of={base}", "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"],
                       check=True)
        subprocess.run(["sha256sum", base], check=True, stdout=subprocess.DEVNULL)
        checked_s = time.monotonic() - begin
        agent.start(ready=False)
        try:
            tmp = os.path.join(agent.cluster_dir, "tmp", incident_id + "*")
            wait_for(lambda: glob.glob(tmp), "the upload to begin", timeout=60, poll=0.002)
            begin = time.monotonic()
            wait_for(agent.stored_folders, "the capture in the store", timeout=600, poll=0.01)
            ship_s = time.monotonic() - begin
        finally:
            agent.kill()
        results.add("ship_mib_s", SHIP_MIB / ship_s)
        results.add("ship_of_tar", tar_s / ship_s)
        results.add("ship_of_checked", checked_s / ship_s)
        results.add("ship_of_cached", cached_s / ship_s)


def answers_ms(agent):
    times = []
    for _ in range(HUNG_CALLS):
        begin = time.monotonic()
        agent.status()
        times.append((time.monotonic() - begin) * 1000)
    return percentile(times, 99)


def measure_hung_store(results):
    """The same failures, one at a time, with the store well and with the store hung for ever."""
    seen = {}
    for mode in ("ok", "hang"):
        with tempfile.TemporaryDirectory(prefix="ffdc-bench.", dir=DISK_DIR) as folder:
            below = os.path.join(folder, "below")
            os.mkdir(below)
            store = FaultFs(os.path.join(BIN, "faultfs"), os.path.join(folder, "mount"), below)
            try:
                with Bed(HUNG_DISKS, size=2 * MIB, incident={"quiet_after": "1h"}, store={"url": "dir:" + store.path}) as bed:
                    wait_for(lambda b=bed: b.agent.status()["store"]["reachable"], "the store to be reached")
                    store.set(mode)
                    if mode == "hang":
                        bed.agent.ctl("dump")
                        wait_for(bed.agent.store_incidents, "the store to be lost", timeout=120)
                    for disk in bed.disks:
                        disk.lose()
                        disk.read(1, first=300)
                        time.sleep(0.5)
                    def captures(b=bed):
                        found = [capture_of(i) for i in b.agent.incidents() if i["kind"] == "io.error"]
                        done = [c for c in found if int(c["sealed_after_ns"]) > 0]
                        return done if len(done) == HUNG_DISKS else None
                    found = wait_for(captures, "every capture to be sealed", timeout=120)
                    seen[mode] = [percentile([int(c["frozen_after_ns"]) for c in found], 99),
                                  percentile([int(c["sealed_after_ns"]) for c in found], 99),
                                  answers_ms(bed.agent)]
                    store.set("ok")
            finally:
                store.close()
    for key, well, hung in zip(("hung_frozen", "hung_sealed", "hung_ctl"), seen["ok"], seen["hang"]):
        results.add(key, hung / well)


def show(rows):
    def number(value):
        if value is None:
            return "-"
        if value == 0 or value >= 1000:
            return f"{value:,.0f}"
        return f"{value:.3g}"
    print(f"\n{'what':<52} {'target':>8} {'median':>10} {'min':>9} {'max':>9} {'unit':<5} met")
    for row in rows:
        met = "" if not row["target"] else {True: "yes", False: "NO", None: "not measured"}[row["met"]]
        print(f"{row['what']:<52} {row['target']:>8} {number(row['median']):>10} {number(row['min']):>9} "
              f"{number(row['max']):>9} {row['unit']:<5} {met}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: bench.py OUT_JSON")
    if os.geteuid() != 0:
        sys.exit("bench: needs root (BPF programs, loop devices): use sudo")
    results = Results()
    declare_all(results)
    details = {"storm_group_rss_mib": [], "frozen_ns": [], "sealed_ns": [], "bpf_cost": []}
    failures = []

    def attempt(measure):
        try:
            return measure(results)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(f"{measure.__name__}: {type(error).__name__}: {error}")
            return None

    for run_number in range(1, RUNS + 1):
        print(f"run {run_number} of {RUNS} ({time.strftime('%T')})", flush=True)
        details["bpf_cost"].append(attempt(measure_cost))
        attempt(measure_good_records)
        details["frozen_ns"] += attempt(measure_freeze) or []
        details["sealed_ns"] += attempt(measure_seal) or []
        details["storm_group_rss_mib"].append(attempt(measure_storm))
        attempt(measure_shipping)
        attempt(measure_hung_store)
        attempt(measure_idle)
        attempt(measure_rados)

    rows = results.finished()
    show(rows)
    for name in ("frozen_ns", "sealed_ns"):
        if details[name]:
            print(f"{name} over all {len(details[name])}: p50 {percentile(details[name], 50):,} "
                  f"p99 {percentile(details[name], 99):,} max {max(details[name]):,}")
    each = [cost["each_net_ns"] for cost in details["bpf_cost"] if cost]
    for name in sorted({name for run in each for name in run}):
        median = statistics.median(run[name] for run in each if name in run)
        print(f"  program set {name:<20} {median:8.1f} ns per good I/O, net")
    machine = {"kernel": platform.release(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"machine": machine, "runs": RUNS, "numbers": rows, "details": details,
                   "not_measured": failures}, out, indent=1)
    for failure in failures:
        print(f"bench: could not be measured: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
