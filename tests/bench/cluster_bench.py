# SPDX-License-Identifier: Apache-2.0
"""Measures how fast a failure on one node reaches the others: N real agents with real etcd on this one
machine, so that one monotonic clock measures all. Prints a table and writes JSON.

cluster_bench.py OUT_JSON [N ...]   (default: 3 16). BENCH_ROUNDS: failures for each N."""

import json
import os
import platform
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from bench import percentile  # noqa: E402 pylint: disable=wrong-import-position
from cluster import ClusterTest  # noqa: E402 pylint: disable=wrong-import-position
from harness import wait_for  # noqa: E402 pylint: disable=wrong-import-position

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
TARGET_P99_MS = {3: 10, 16: 20, 64: 60}
TARGET_STORED_P50_S = 3


def wall_ns(text):
    """Of proto3 JSON's times, to the nanosecond."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone)
    return seconds * 10 ** 9 + int((fraction or "0").ljust(9, "0"))


class Measurement(ClusterTest):
    count = 3

    def runTest(self):  # pylint: disable=invalid-name
        names = [f"n{i}" for i in range(1, self.count + 1)]
        # Each failure an incident of its own.
        self.cluster(names, with_disk=names[:1], config={"incident": {"quiet_after": "100ms"}})
        origin, disk = self.nodes[names[0]], self.disks[names[0]]
        disk.lose()
        self.frozen_ms, self.stored_s = [], []
        for turn in range(1, ROUNDS + 1):
            disk.fail()
            incident = wait_for(lambda: (origin.incidents() + [None] * ROUNDS)[turn - 1], f"incident {turn}", 60)
            captures = self.wait_all_stored(origin, incident["id"], names, timeout=300)
            begun = wall_ns(incident["opened_at"])
            self.frozen_ms += [self.frozen_after_ms(incident["id"], n, names[0]) for n in names[1:]]
            self.stored_s.append(max(wall_ns(c["stored_at"]) for c in captures.values()) / 1e9 - begun / 1e9)
            time.sleep(1.5)

    def frozen_after_ms(self, incident_id, node, origin):
        def manifest(of):
            for folder, _, _ in os.walk(os.path.join(self.store, "v1")):
                if folder.endswith(f"{incident_id}/{of}"):
                    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
                        return json.load(file)
            raise AssertionError(f"no manifest of {of}")
        return (int(manifest(node)["frozen_mono_ns"]) - int(manifest(origin)["failure_mono_ns"])) / 1e6


def main():
    sizes = [int(arg) for arg in sys.argv[2:]] or [3, 16]
    rows = []
    for size in sizes:
        test = Measurement()
        test.count = size
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(test)
        if not result.wasSuccessful():
            sys.exit(f"cluster_bench: N = {size} could not be measured")
        row = {"nodes": size, "frozen_ms": {p: percentile(test.frozen_ms, p) for p in (50, 99, 100)},
               "frozen_p99_target_ms": TARGET_P99_MS.get(size),
               "all_stored_s": {p: percentile(test.stored_s, p) for p in (50, 99)}}
        rows.append(row)
        print(f"N={size}: frozen on every other node after p50 {row['frozen_ms'][50]:.1f} p99 "
              f"{row['frozen_ms'][99]:.1f} max {row['frozen_ms'][100]:.1f} ms (target p99 {TARGET_P99_MS.get(size)}); "
              f"every capture stored after p50 {row['all_stored_s'][50]:.2f} s (target {TARGET_STORED_P50_S} for N=3)",
              flush=True)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"kernel": platform.release(), "cpus": os.cpu_count(), "load": os.getloadavg(),
                   "rounds": ROUNDS, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
