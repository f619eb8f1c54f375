# SPDX-License-Identifier: Apache-2.0
"""An agent that is flooded, or that may not see everything, stays up, says what it
lost, and still catches a disk that fails."""

import subprocess
import sys
import time

import harness
from harness import SANITIZED, E2eTest, wait_for

UEVENTS = 100_000
LINES = 100_000
FLOOD_S = 10
MAX_RSS = 64 << 20

# Writes sys.argv[2] into sys.argv[1], sys.argv[3] times, evenly within sys.argv[4] seconds.
WRITER = """
import os, sys, time
path, text, count, seconds = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), float(sys.argv[4])
fd = os.open(path, os.O_WRONLY)
begun = time.monotonic()
for i in range(count):
    os.write(fd, text)
    if i % 100 == 0:
        time.sleep(max(0, begun + seconds * i / count - time.monotonic()))
"""


class FloodTest(E2eTest):
    def flood(self, path, text, count):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path, text, str(count), str(FLOOD_S)])
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)
        return writer

    def fail_during(self, writer, disk, agent):
        """The disk fails in the middle of the flood; the agent must catch it, and answer all along."""
        time.sleep(1)
        self.assertIsNone(writer.poll(), "the flood ended before the disk failed")
        disk.lose_and_fail()
        incident = agent.wait_stored()[0]
        self.assertEqual((incident["kind"], incident["subject"]["name"]), ("io.error", disk.name))
        while writer.poll() is None:
            self.assertEqual(agent.ctl("status").returncode, 0)
            time.sleep(0.5)
        self.assertEqual(writer.returncode, 0)
        self.assertTrue(agent.alive())
        self.assertEqual(len(agent.incidents()), 1, "incidents, of a disk that failed once")
        if not SANITIZED:
            self.assertLess(agent.rss_bytes(), MAX_RSS)

    def test_uevents_by_the_hundred_thousand(self):
        disk, noise = self.disk(), self.disk()
        agent = self.agent([disk])
        writer = self.flood(f"/sys/block/{noise.name}/uevent", "change", UEVENTS)
        self.fail_during(writer, disk, agent)

        # Every one of them was heard, or the overflow is told; either way the devices are known.
        def settled():
            probe = agent.probe("uevents")
            return int(probe["records"]) >= UEVENTS or int(probe["drops"]) > 0
        wait_for(settled, "the uevents to be heard, or their loss to be told")
        late = self.disk()
        late_id = f"loop:{late.backing}"
        wait_for(lambda: any(d["id"] == late_id for d in agent.status().get("ignored_devices", [])),
                 "a disk that came after the flood")


class PartlyBlindTest(E2eTest):
    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def check_catches(self, agent, disk):
        """Everything inactive says why, and stands among the problems; a failing disk is caught."""
        for probe in agent.ctl_json("probe", "list")["probes"]:
            if not probe["active"]:
                self.assertTrue(probe["reason"], f"{probe['name']} is inactive without a reason")
            told = [p for p in agent.problems() if f"probe {probe['name']} is inactive" in p]
            self.assertEqual(bool(told), not (probe["active"] or probe["idle"]), probe)
        page = agent.ctl("probe", "list")
        self.assertEqual(page.returncode, 0, page.stderr)
        disk.lose_and_fail()
        incident = agent.wait_stored()[0]
        self.assertEqual((incident["kind"], incident["subject"]["name"]), ("io.error", disk.name))
        self.assertTrue(agent.alive())

    def test_without_tracefs_and_debugfs(self):
        disk = self.disk()
        hide = ("mount -t tmpfs none /sys/kernel/tracing && mount -t tmpfs none /sys/kernel/debug && "
                'exec "$0" "$@"')
        agent = self.agent([disk], prefix=["unshare", "--mount", "sh", "-c", hide])
        self.check_catches(agent, disk)
        collectors = {m["what"] for m in agent.incidents()[0]["completeness"].get("losses", [])}
        self.assertIn("block_state.debugfs", collectors, "what is not to be had is told")

    def test_without_the_right_to_the_kernel_log_and_the_network(self):
        """One source may be refused by the kernel: the others go on."""
        disk = self.disk()
        restrict = "/proc/sys/kernel/dmesg_restrict"
        with open(restrict, encoding="ascii") as file:
            before = file.read().strip()
        self.addCleanup(self.write, restrict, before)
        self.write(restrict, "1")
        dropped = "-net_admin,-syslog"
        agent = self.agent([disk], prefix=["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"])
        self.check_catches(agent, disk)


class MeasureTest(E2eTest):
    def test_runs_are_counted_while_somebody_asks(self):
        disk = self.disk()
        agent = self.agent([disk])
        with open("/proc/sys/kernel/bpf_stats_enabled", encoding="ascii") as file:
            if file.read().strip() == "0":
                self.assertFalse(agent.ctl_json("probe", "list")["runs_counted"])
        asked = subprocess.Popen(
            [harness.FFDCCTL, "--socket", agent.socket, "probe", "list", "--measure", "2s", "--json"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(asked.wait)
        self.addCleanup(asked.kill)
        until = time.monotonic() + 1.5
        reads = 0
        while time.monotonic() < until:
            self.assertEqual(disk.read(50), 0)
            reads += 50
            self.assertEqual(agent.ctl("status").returncode, 0, "the agent answers others meanwhile")
        out, _ = asked.communicate(timeout=harness.PATIENCE)
        self.assertEqual(asked.returncode, 0)
        listed = harness.json.loads(out)
        self.assertTrue(listed["runs_counted"])
        self.assertGreaterEqual(int(listed["measured_ns"]), 2_000_000_000)
        block_io = next(p for p in listed["probes"] if p["name"] == "block_io")
        self.assertGreater(int(block_io["runs"]), reads // 2)
        self.assertGreater(int(block_io["run_time_ns"]), 0)
        too_long = agent.ctl("probe", "list", "--measure", "2m")
        self.assertEqual(too_long.returncode, 1)
        self.assertIn("at most 60 s", too_long.stderr)


if __name__ == "__main__":
    harness.main()
