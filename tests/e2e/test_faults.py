# SPDX-License-Identifier: Apache-2.0
"""A disk that fails in every way a file behind a loop device can: what the agent says of each."""

import os
import signal
import subprocess
import time

import harness
from disks import BLOCK, FaultFs, LoopDisk, run
from harness import E2eTest, untar_zst, wait_for

STALL_AFTER_S = 2  # the default of detect.stall_after
QUIET = {"incident": {"quiet_after": "1s"}}


class FaultDisk(LoopDisk):
    """A loop device over the only file of a faultfs."""

    def __init__(self, folder, size=16 << 20):
        self.fault_fs = FaultFs(os.path.join(harness.BIN, "faultfs"), os.path.join(folder, "faultfs"), size)
        super().__init__(folder, backing=os.path.join(self.fault_fs.path, "disk"))

    def set(self, command):
        self.fault_fs.set(command)

    def dev(self):
        with open(f"/sys/block/{self.name}/dev", encoding="ascii") as file:
            return file.read().strip()

    def kill_server(self):
        self.fault_fs.server.send_signal(signal.SIGKILL)
        self.fault_fs.server.wait()

    def restore(self):
        if self.fault_fs.server.poll() is None:
            self.set("ok")
        super().restore()
        self.fault_fs.close()


class FaultsTest(E2eTest):
    def fault_disk(self):
        disk = FaultDisk(self.folder)
        self.addCleanup(disk.restore)
        return disk

    def dd(self, disk, client, *args):
        with client:
            process = subprocess.Popen(["dd", f"if={disk.path}", "of=/dev/null", "bs=4k", "iflag=direct",
                                        "status=none", *args], stderr=subprocess.DEVNULL)
        def end():
            if disk.fault_fs.server.poll() is None:
                disk.set("ok")  # nothing ends a task whose I/O hangs
            process.wait()
        self.addCleanup(end)
        return process

    def events(self, agent, kind):
        return [e for e in agent.ctl_json("event", "list").get("events", []) if e["kind"] == kind]

    def wait_event(self, agent, kind, timeout=harness.PATIENCE):
        return wait_for(lambda: self.events(agent, kind), f"an event {kind}", timeout)[0]

    def check_quiet(self, agent, seconds):
        """Nothing is told for so long."""
        time.sleep(seconds)
        self.assertEqual(agent.ctl_json("event", "list").get("events", []), [])

    def test_every_read_fails(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        disk.set("eio")
        self.assertEqual(disk.read(3, stride=2), 3)
        event = self.wait_event(agent, "io.error")
        self.assertEqual((event["severity"], event["subject"]["name"]), ("CRITICAL", disk.name))
        self.assertEqual(self.events(agent, "io.stall"), [])

    def test_a_bad_range_fails_alone(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        disk.set(f"eio {100 * BLOCK} {110 * BLOCK}")
        self.assertEqual(disk.read(300), 10)
        incident = agent.incident(agent.wait_incidents(1)[0]["id"])
        sectors = [int(io["sector"]) for io in incident["events"][0]["evidence"]]
        self.assertTrue(sectors)
        self.assertTrue(all(100 * 8 <= sector < 110 * 8 for sector in sectors), sectors)

    def test_a_short_answer_is_an_error(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        disk.set("short")
        self.assertEqual(disk.read(3, stride=2), 3)
        self.assertEqual(self.wait_event(agent, "io.error")["severity"], "CRITICAL")

    def test_no_space_is_a_matter_of_resources(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        disk.set("enospc")
        self.assertEqual(disk.write(3), 3)
        event = self.wait_event(agent, "resource.threshold")
        self.assertEqual((event["severity"], event["errors"][0]["op"]), ("CRITICAL", "write"))

    def test_a_slow_disk_is_not_stalled(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        disk.set("delay 300")
        disk.read(15)
        self.check_quiet(agent, 1)

    def test_a_hanging_disk(self):
        disk = self.fault_disk()
        agent = self.agent([disk], config=QUIET)
        client = self.cgroup("database")
        self.assertEqual(disk.read(1), 0)
        disk.set("hang")
        process = self.dd(disk, client, "count=1")
        hung = time.monotonic()
        event = self.wait_event(agent, "io.stall")
        took = int(event["detected_mono_ns"]) / 1e9 - hung
        self.assertGreater(took, STALL_AFTER_S - 0.5)
        if not harness.SANITIZED:
            self.assertLess(took, STALL_AFTER_S + 1.5, "with half a second until dd reads")
        self.assertEqual((event["domain"], event["severity"]), ("X1", "CRITICAL"))
        self.assertEqual(event["subject"]["name"], disk.name)
        waiter = next(w for w in event["waiters"] if w["pid"] == process.pid)
        self.assertEqual((waiter["comm"], waiter["client"]["name"]), ("dd", client.name))
        self.assertTrue(waiter["waits_in"])
        self.assertIn(client.name, [c["name"] for c in event["clients"]])
        facts = {f["name"]: f["value"] for f in event["facts"]}
        self.assertEqual(facts["in_flight"], "1")
        self.assertGreater(int(facts["waiting_ns"]), (STALL_AFTER_S - 0.5) * 1e9)
        incident_id = event["incident_id"]
        time.sleep(max(0, hung + 5 - time.monotonic()))
        disk.set("ok")
        released = time.monotonic()
        self.assertEqual(process.wait(10), 0)
        wait_for(lambda: agent.incident(incident_id)["state"] == "CLOSED", "the incident to close")
        incident = agent.incident(incident_id)
        self.assertEqual([e["kind"] for e in incident["events"]], ["io.stall"])
        duration = int(incident["events"][0]["duration_ns"]) / 1e9
        self.assertAlmostEqual(duration, released - hung, delta=1.2)
        self.assertEqual(len(agent.incidents()), 1)
        agent.wait_stored()
        capture = os.path.join(self.folder, "capture")
        untar_zst(os.path.join(agent.stored_folders()[0], "capture.tar.zst"), capture)
        with open(os.path.join(capture, "blocked-tasks.txt"), encoding="utf-8") as file:
            self.assertRegex(file.read(), rf"(?m)^D pid={process.pid} .* dev={disk.dev()} fs=bdev comm=dd$")

    def test_the_server_dies(self):
        disk = self.fault_disk()
        agent = self.agent([disk])
        self.assertEqual(disk.read(1), 0)
        disk.kill_server()
        self.assertEqual(disk.read(3, stride=2), 3)
        event = self.wait_event(agent, "io.error")
        self.assertEqual((event["severity"], event["subject"]["name"]), ("CRITICAL", disk.name))

    def test_who_is_throttled_waits_by_order(self):
        disk = self.fault_disk()
        client = self.cgroup("limited")
        dev = disk.dev()
        limit = {"io.max": f"{dev} rbps=1024", "blkio.throttle.read_bps_device": f"{dev} 1024"}
        known = [name for name in limit if os.path.exists(os.path.join(client.path, name))]
        if not known:
            self.skipTest("this host gives its cgroups no I/O limits")
        agent = self.agent([disk])
        with open(os.path.join(client.path, known[0]), "w", encoding="ascii") as file:
            file.write(limit[known[0]])
        started = time.monotonic()
        process = self.dd(disk, client, "count=2")
        self.check_quiet(agent, 5)
        process.wait()
        self.assertGreater(time.monotonic() - started, 4, "it was throttled at all")
        self.check_quiet(agent, 1)


if __name__ == "__main__":
    harness.main()
