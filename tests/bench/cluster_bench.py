# SPDX-License-Identifier: Apache-2.0
"""Measures how fast a failure on one node reaches the others, on this one machine, so that one monotonic
clock measures all: N real agents, or one among N light ones (the real peer service, nothing to collect), with
real etcd and a disk that really fails. Prints a table and writes JSON.

cluster_bench.py OUT_JSON [N ...]   (default: 3 16 64 light:1000). BENCH_ROUNDS: failures for each N."""

import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from bench import percentile  # noqa: E402 pylint: disable=wrong-import-position
from cluster import PORT, ClusterTest, address, inside, nodes_of  # noqa: E402 pylint: disable=wrong-import-position
from harness import BIN, wait_for  # noqa: E402 pylint: disable=wrong-import-position
from rados_bench import resident_bytes  # noqa: E402 pylint: disable=wrong-import-position

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
TARGET_P99_MS = {"3": 10, "16": 20, "64": 60, "light:1000": 300}
TARGET_STORED_P50_S = 3
TARGET_FAILED_S = 5
TARGET_PEER_KIB = 200
# Network namespaces share one table: 64 nodes have 64 neighbours each, and by default 1,024 have room.
NEIGHBOURS = 16384


def wall_ns(text):
    """Of proto3 JSON's times, to the nanosecond."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone)
    return seconds * 10 ** 9 + int((fraction or "0").ljust(9, "0"))


def of_kind(agent, kind):
    return [i for i in agent.incidents() if i["kind"] == kind]


class Measurement(ClusterTest):
    """What all sizes have in common: one failure after the other on the first node."""

    # It has a machine of its own, so to speak: starved by many agents, it would be lost to all of them.
    etcd_prefix = ("nice", "-n", "-15")

    def manifest(self, incident_id, node):
        for folder, _, _ in os.walk(os.path.join(self.store, "v1")):
            if folder.endswith(f"{incident_id}/{node}"):
                with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
                    return json.load(file)
        raise AssertionError(f"no manifest of {node}")

    def rounds(self, origin, disk):
        """Yields the incident of each failure."""
        disk.lose()
        for turn in range(1, ROUNDS + 1):
            disk.fail()
            time.sleep(1)  # whoever asks takes from what is measured
            yield wait_for(lambda: (of_kind(origin, "io.error") + [None] * ROUNDS)[turn - 1], f"incident {turn}", 60)
            time.sleep(1.5)

    def failure_ns(self, incident_id, origin):
        return int(self.manifest(incident_id, origin)["failure_mono_ns"])


class RealAgents(Measurement):
    count = 3

    def runTest(self):  # pylint: disable=invalid-name
        names = [f"n{i}" for i in range(1, self.count + 1)]
        # Each failure an incident of its own.
        self.cluster(names, with_disk=names[:1], config={"incident": {"quiet_after": "100ms"}})
        origin = self.nodes[names[0]]
        time.sleep(self.count / 4)  # until their start is over
        self.frozen_ms, self.stored_s = [], []
        for incident in self.rounds(origin, self.disks[names[0]]):
            captures = self.wait_all_stored(origin, incident["id"], names, timeout=300)
            begun, failed_ns = wall_ns(incident["opened_at"]), self.failure_ns(incident["id"], names[0])
            self.frozen_ms += [(int(self.manifest(incident["id"], n)["frozen_mono_ns"]) - failed_ns) / 1e6
                               for n in names[1:]]
            self.stored_s.append(max(wall_ns(c["stored_at"]) for c in captures.values()) / 1e9 - begun / 1e9)
        self.failed_s = self.time_until_failed(names)

    def time_until_failed(self, names):
        """From the last node's death until each other one has stopped its history because of it."""
        begun_ns = time.monotonic_ns()
        self.nodes[names[-1]].kill()
        teller = wait_for(lambda: next((self.nodes[n] for n in names[:-1] if of_kind(self.nodes[n], "node.failed")), None),
                          "anybody to know of the dead node", 60, poll=0.5)
        incident_id = of_kind(teller, "node.failed")[0]["id"]

        def all_stored():
            stored = [n for n, c in self.captures(teller, incident_id).items() if c["state"] == "STORED"]
            return sorted(stored) == sorted(names[:-1])
        wait_for(all_stored, "every capture of the dead node's incident", 300, poll=0.5)
        frozen_ns = [int(self.manifest(incident_id, n)["frozen_mono_ns"]) for n in names[:-1]]
        return (max(frozen_ns) - begun_ns) / 1e9


class LightAgents(Measurement):
    count = 1000

    def runTest(self):  # pylint: disable=invalid-name
        self.start_etcd()
        disk = self.disk()
        origin = self.node("n1", [disk], config={"incident": {"quiet_after": "100ms"}})
        wait_for(lambda: origin.ctl_json("cluster", "status")["status"]["db_reachable"], "the DB to be reached")
        before = resident_bytes(origin.process.pid)
        namespace, at = self.net.join("light", 50), address(50)
        light = subprocess.Popen([*inside(namespace), os.path.join(BIN, "light_agents"), self.ca.cert, self.ca.key,
                                  self.db_url(), at, "10000", str(self.count), "n1", f"{address(1)}:{PORT}"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(light.wait)
        self.addCleanup(light.kill)
        # First, so that it does not see a thousand nodes die.
        self.addCleanup(origin.kill)
        frozen = {}  # incident -> node -> nanoseconds

        def read():
            for line in light.stdout:
                if line.strip() == "ready":
                    frozen["ready"] = {}
                    continue
                incident_id, node, at_ns = line.split()
                frozen.setdefault(incident_id, {})[node] = int(at_ns)
        threading.Thread(target=read, daemon=True).start()
        wait_for(lambda: "ready" in frozen, "the light agents to be members", 300)
        wait_for(lambda: sum(n["state"] == "ALIVE" for n in nodes_of(origin).values()) == self.count + 1,
                 "all of them to answer", 300, poll=2)
        self.peer_kib = (resident_bytes(origin.process.pid) - before) / self.count / 1024
        self.frozen_ms = []
        for incident in self.rounds(origin, disk):
            there = wait_for(lambda: frozen.get(incident["id"]) if len(frozen.get(incident["id"], {})) == self.count
                             else None, "the alert to reach all", 60)
            self.wait_own_stored(origin, incident["id"])
            failed_ns = self.failure_ns(incident["id"], "n1")
            self.frozen_ms += [(at_ns - failed_ns) / 1e6 for at_ns in there.values()]

    def wait_own_stored(self, origin, incident_id):
        wait_for(lambda: self.captures(origin, incident_id)["n1"]["state"] == "STORED", "its own capture to be stored")


def measure(size):
    test = LightAgents() if size.startswith("light:") else RealAgents()
    test.count = int(size.rpartition(":")[2])
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(test)
    if not result.wasSuccessful():
        sys.exit(f"cluster_bench: N = {size} could not be measured")
    row = {"nodes": size, "frozen_ms": {p: percentile(test.frozen_ms, p) for p in (50, 99, 100)},
           "frozen_p99_target_ms": TARGET_P99_MS.get(size)}
    text = (f"N={size}: frozen on every other node after p50 {row['frozen_ms'][50]:.1f} p99 {row['frozen_ms'][99]:.1f} "
            f"max {row['frozen_ms'][100]:.1f} ms (target p99 {TARGET_P99_MS.get(size)})")
    if isinstance(test, LightAgents):
        row["rss_kib_a_peer"] = test.peer_kib
        text += f"; memory of a known peer {test.peer_kib:.0f} KiB (target {TARGET_PEER_KIB})"
    else:
        row["all_stored_s"] = {p: percentile(test.stored_s, p) for p in (50, 99)}
        row["node_failed_s"] = test.failed_s
        text += (f"; every capture stored after p50 {row['all_stored_s'][50]:.2f} s (target {TARGET_STORED_P50_S} for "
                 f"N=3); a dead node known to all after {test.failed_s:.1f} s (target {TARGET_FAILED_S})")
    print(text, flush=True)
    return row


@contextlib.contextmanager
def kernel_setting(path, value):
    """Of the whole machine: put back afterwards. Not there: nothing to set."""
    if not os.path.exists(path):
        yield
        return
    with open(path, encoding="ascii") as file:
        before = file.read()
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(before)


@contextlib.contextmanager
def one_machine_each():
    """What nodes that are machines of their own do not share."""
    # Priorities count among all agents. The scheduler's groups of sessions would give each agent's workers the
    # same right to a core as the others' alerts. And one node alone has a kernel that writes of its failure to a
    # console: where that is an emulated serial line, 2 ms of a core for each message.
    with kernel_setting("/proc/sys/kernel/sched_autogroup_enabled", "0"), \
            kernel_setting("/proc/sys/kernel/printk", "1"), \
            kernel_setting("/proc/sys/net/ipv4/neigh/default/gc_thresh3", str(NEIGHBOURS)):
        yield


def main():
    sizes = sys.argv[2:] or ["3", "16", "64", "light:1000"]
    with one_machine_each():
        rows = [measure(size) for size in sizes]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"kernel": platform.release(), "cpus": os.cpu_count(), "load": os.getloadavg(),
                   "rounds": ROUNDS, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
