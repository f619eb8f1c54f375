# SPDX-License-Identifier: Apache-2.0
"""What shipping into Ceph costs, on a cluster that lives for as long as this takes."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from ceph import Ceph
from harness import BIN, seal_big_capture, wait_for

MIB = 1 << 20
CAPTURE_MIB = int(os.environ.get("BENCH_RADOS_MIB", "256"))


def resident_bytes(pid):
    """Memory of the process alone: what it shares with its parent or others counts once, for them."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


class Highest(threading.Thread):
    """The most that the agent and its workers had resident together; the launcher is no part of it."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.bytes, self.over = agent, 0, threading.Event()
        self.launcher = agent.launcher_pid()

    def run(self):
        while not self.over.wait(0.05):
            total = 0
            for pid in self.agent.pids():
                try:
                    total += resident_bytes(pid) if pid != self.launcher else 0
                except OSError:
                    pass  # it ended
            self.bytes = max(self.bytes, total)


def measure(results, bed_type):
    # In memory: a slow disk would make all programs alike.
    folder = tempfile.mkdtemp(prefix="ffdc-ceph.", dir="/dev/shm")
    cluster = Ceph(folder, size=2 << 30)
    try:
        cluster.start()
        cluster.make_pool("bench")
        conf = cluster.make_client("bench", ["mon", "allow r", "osd", "allow rw pool=bench"])
        url = f"rados://bench?conf={conf}&id=bench"
        done = subprocess.run([os.path.join(BIN, "rados_cost"), url, str(CAPTURE_MIB)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"rados_cost ended with {done.returncode}: {done.stderr}")
        rates = json.loads(done.stdout)
        results.add("rados_mib_per_s", rates["driver_mib_per_s"])
        results.add("rados_of_bare", rates["driver_mib_per_s"] / rates["bare_mib_per_s"])
        results.add("rados_of_checked", rates["driver_mib_per_s"] / rates["checked_mib_per_s"])
        with bed_type(1, store={"url": url}) as bed:
            agent = bed.agent
            time.sleep(2)
            agent.stop()
            incident_id = seal_big_capture(agent, 160 * MIB)
            agent.start()
            highest = Highest(agent)
            highest.start()
            wait_for(lambda: incident_id not in agent.sealed(), "the capture to be stored", timeout=300)
            highest.over.set()
            highest.join()
            results.add("rados_rss_mib", highest.bytes / MIB)
    finally:
        cluster.stop()
        shutil.rmtree(folder, True)
