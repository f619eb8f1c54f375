# SPDX-License-Identifier: Apache-2.0
"""One real failure becomes one stored incident, and everything it says is true."""

import calendar
import glob
import json
import os
import shutil
import subprocess
import tarfile
import time

import harness
from disks import BLOCK, SECTOR, run
from harness import E2eTest, capture_of, event_count, sha256, untar_zst, wait_for


def iso_ns(text):
    """"2026-11-23T07:35:44.198492726Z" in nanoseconds since the epoch."""
    seconds, fraction = text.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 1_000_000_000 + int(fraction)


class IncidentTest(E2eTest):
    def pull(self, agent, incident_id):
        """Returns the folder of the incident, as pulled and unpacked with tar alone."""
        target = os.path.join(self.folder, "pulled.tar")
        done = agent.ctl("incident", "pull", incident_id, "-o", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        with tarfile.open(target) as tar:
            tar.extractall(self.folder)
        return os.path.join(self.folder, incident_id)

    def pull_capture(self, agent, incident_id):
        """Returns the manifest and the folder of the unpacked capture; checks every file's SHA-256."""
        node = os.path.join(self.pull(agent, incident_id), agent.node)
        with open(os.path.join(node, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        archive = os.path.join(node, "capture.tar.zst")
        self.assertEqual(sha256(archive), manifest["archive_sha256"])
        self.assertEqual(os.path.getsize(archive), int(manifest["archive_bytes"]))
        capture = os.path.join(self.folder, "capture")
        untar_zst(archive, capture)
        listed = {file["name"]: file for file in manifest["files"]}
        self.assertEqual(sorted(os.listdir(capture)), sorted(listed), "files of the capture and its manifest")
        for name, file in listed.items():
            path = os.path.join(capture, name)
            self.assertEqual(sha256(path), file["sha256"], name)
            self.assertEqual(os.path.getsize(path), int(file.get("size_bytes", 0)), name)
        return manifest, capture

    def check_shown(self, sectors, made):
        """The last ones are those made, in order, but for what the kernel did not show (see Shown)."""
        found = [sector for sector in made if sector in sectors]
        self.assertGreaterEqual(len(found), len(made) - 2, f"{set(made) - set(found)} missing")
        self.assertEqual(sectors[-len(found):], found)

    def test_one_failure_is_one_stored_incident(self):
        disk = self.disk()
        agent = self.agent([disk])
        client = self.cgroup("database")
        before_ns = time.time_ns()
        with client:
            self.assertEqual(disk.read(200), 0)
            disk.lose()
            self.assertEqual(disk.read(1, first=1000), 1)
        after_ns = time.time_ns()
        incident = agent.incident(agent.wait_stored()[0]["id"])

        for field in ("id", "kind", "domain", "severity", "state", "opened_at", "origin_node", "subject",
                      "clients", "events", "captures", "completeness"):
            self.assertIn(field, incident)
        self.assertRegex(incident["id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual((incident["kind"], incident["domain"], incident["severity"], incident["state"]),
                         ("io.error", "OTHER", "CRITICAL", "OPEN"))
        self.assertEqual(incident["origin_node"], "node1")
        self.assertFalse(incident["repeat"])
        subject = incident["subject"]
        self.assertEqual((subject["type"], subject["name"]), ("block_device", disk.name))
        self.assertIn(disk.backing, subject["id"])
        self.assertEqual(event_count(incident), 1)
        self.assertEqual([c["name"] for c in incident["clients"]], [client.name])

        failed = incident["events"][0]["evidence"][0]
        self.assertEqual((failed["op"], int(failed["sector"]), int(failed["len_bytes"])),
                         ("read", 1000 * BLOCK // SECTOR, BLOCK))
        self.assertTrue(before_ns <= int(failed["time_wall_ns"]) <= after_ns, failed)
        self.assertTrue(0 < int(failed["latency_ns"]) < after_ns - before_ns, failed)
        self.assertEqual(failed["client"]["name"], client.name)

        capture = capture_of(incident)
        self.assertEqual((capture["node"], capture["state"]), ("node1", "STORED"))
        self.assertGreater(int(capture["bytes"]), 0)
        self.assertTrue(0 < int(capture["frozen_after_ns"]) < int(capture["sealed_after_ns"]), capture)
        self.assertEqual(capture.get("collectors_failed", 0), 0, "collectors that failed")
        completeness = incident["completeness"]
        self.assertEqual((completeness["expected"], completeness["captured"], completeness["stored"]), (1, 1, 1))
        self.assertTrue(completeness["complete"], completeness)
        self.check_stored_once(agent, incident["id"])

    def test_capture_holds_what_was_before_the_failure(self):
        disk = self.disk()
        agent = self.agent([disk])
        before_ns = time.time_ns()
        self.assertEqual(disk.read(100), 0)
        self.assertEqual(disk.write(20, first=50), 0)
        disk.lose()
        said = f"ffdc-e2e: {disk.backing} is lost"
        with open("/dev/kmsg", "w", encoding="utf-8") as kmsg:
            kmsg.write(said + "\n")  # without it the line may go on, and nobody reads it yet
        self.assertEqual(disk.read(1, first=3000), 1)
        after_ns = time.time_ns()
        incident_id = agent.wait_stored()[0]["id"]
        manifest, capture = self.pull_capture(agent, incident_id)

        self.assertEqual((manifest["incident_id"], manifest["node"]), (incident_id, "node1"))
        collectors = {c["name"]: c["outcome"] for c in manifest["collectors"]}
        for name in ("io_history", "history_1hz", "kernel_log", "block_state", "blocked_tasks"):
            self.assertEqual(collectors.get(name), "OK", f"collector {name} of {collectors}")
        self.assertGreaterEqual(len(collectors), 8, collectors)
        for name in ("io-history.jsonl", "kernel.log", "history.jsonl", "blocked-tasks.txt", "block-state.jsonl",
                     "device-stack.txt", "mounts.txt", "sockets.txt", "interfaces.jsonl", "io-processes.jsonl",
                     "io-cgroups.jsonl", "versions.json", "system.txt"):
            self.assertIn(name, os.listdir(capture))
        self.assertTrue(manifest["versions"]["kernel"] and manifest["versions"]["agent"], manifest["versions"])
        self.assertTrue(manifest["probes"], "probes in the manifest")

        with open(os.path.join(capture, "io-history.jsonl"), encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        ours = [r for r in records if "latency_ns" in r and r.get("device") == disk.name]
        reads = [r for r in ours if r["op"] == "read" and r["status"] == "ok"]
        writes = [r for r in ours if r["op"] == "write" and r["status"] == "ok"]
        failed = [r for r in ours if r["status"] != "ok"]
        self.check_shown([r["sector"] for r in reads], [i * BLOCK // SECTOR for i in range(100)])
        self.check_shown([r["sector"] for r in writes], [i * BLOCK // SECTOR for i in range(50, 70)])
        self.assertEqual([r["sector"] for r in failed], [3000 * BLOCK // SECTOR])
        for record in reads[-100:] + writes + failed:
            self.assertEqual(record["len_bytes"], BLOCK)
            self.assertTrue(0 < record["latency_ns"] < after_ns - before_ns, record)
            wall_ns = iso_ns(record["wall"])
            self.assertTrue(before_ns <= wall_ns <= after_ns, record)
        times = [r["time_ns"] for r in ours]
        self.assertEqual(times, sorted(times), "the I/O history is in the order of time")

        with open(os.path.join(capture, "kernel.log"), encoding="utf-8", errors="replace") as log:
            captured = log.read()
        self.assertIn(said, captured)
        # Of all devices of the machine together, the kernel names ten failures in five seconds.
        failure = f"I/O error, dev {disk.name}, sector 24000"
        printed = run("dmesg").stdout.partition(said)[2]
        self.assertEqual(failure in captured.partition(said)[2], failure in printed)
        last = manifest["last_ios"]
        self.assertEqual(int(last[-1]["sector"]), 24000)
        self.assertNotEqual(last[-1]["status"], "ok")
        self.assertIn("ok", [io["status"] for io in last])

    def test_counts_are_exact_and_repeats_join(self):
        disk = self.disk()
        agent = self.agent([disk])
        disk.lose()
        shown = self.shown(disk)
        disk.fail_reads(5000, threads=2)
        incident_id = agent.wait_stored()[0]["id"]
        disk.fail_reads(10)
        count = self.check_exact(agent, incident_id, shown, 5010)
        incident = agent.incident(incident_id)
        errors = [e for event in incident["events"] for e in event["errors"]]
        self.assertEqual([(e["op"], int(e["count"])) for e in errors], [("read", count)])
        self.assertGreater(int(errors[0]["suppressed"]), 0, "storm control never acted")
        self.assertLessEqual(len(incident["events"][0]["evidence"]), 16)
        self.assertEqual(len(agent.incidents()), 1, "repeats join the open incident")
        self.assertEqual(int(agent.device(disk.name)["failures"]), count)

    def test_new_failure_after_quiet_opens_a_repeat(self):
        disk = self.disk()
        agent = self.agent([disk], config={"incident": {"quiet_after": "2s"}})
        disk.lose_and_fail()
        first = agent.wait_stored()[0]["id"]
        wait_for(lambda: agent.incident(first)["state"] == "CLOSED", "the incident to close")
        shown = self.shown(disk)
        disk.read(5, first=2000)
        second = agent.wait_stored(2)[1]["id"]
        self.check_exact(agent, second, shown, 5)  # counts start anew with each incident
        incidents = agent.incidents()
        self.assertEqual(incidents[0]["id"], first)
        self.assertEqual([i["repeat"] for i in incidents], [False, True])
        self.assertIn("closed_at", agent.incident(first))
        for incident in incidents:
            self.check_stored_once(agent, incident["id"])
        # The store learns of the end, too.
        path = os.path.join(os.path.dirname([f for f in agent.stored_folders() if first in f][0]), "incident.json")

        def closed_in_store():
            with open(path, encoding="utf-8") as file:
                return json.load(file)["state"] == "CLOSED"
        wait_for(closed_in_store, "incident.json in the store to say CLOSED")

    def test_failed_writes(self):
        full = self.tmpfs("full", 4 << 20)
        backing = os.path.join(full.path, "disk.img")
        with open(backing, "wb") as file:
            file.truncate(64 << 20)  # thin: more than there is room for
        disk = self.disk(64 << 20, backing=backing)
        agent = self.agent([disk])
        full.fill()
        shown = self.shown(disk)
        self.assertEqual(disk.write(7, first=4096, error=28), 7)
        incident_id = agent.wait_stored()[0]["id"]
        count = self.check_exact(agent, incident_id, shown, 7)
        incident = agent.incident(incident_id)
        error = incident["events"][0]["errors"][0]
        self.assertEqual((error["op"], int(error["count"])), ("write", count))
        self.assertIn("space", error["status"])
        self.assertEqual((incident["kind"], incident["severity"]), ("resource.threshold", "CRITICAL"))

    def test_records_reach_user_space_only_on_failure(self):
        disk = self.disk()
        agent = self.agent([disk])
        self.assertEqual(disk.read(4000), 0)
        probe = agent.probe("block_io")
        self.assertTrue(probe["active"], probe)
        self.assertEqual((int(probe["records"]), int(probe["drops"])), (0, 0))

        def all_counted():
            device = agent.device(disk.name)
            return device if int(device["completions"]) >= 4000 and int(device["read_p99_ns"]) > 0 else None
        device = wait_for(all_counted, "4,000 counted completions")
        self.assertGreaterEqual(int(device["read_p99_ns"]), int(device["read_p50_ns"]))
        self.assertEqual(agent.incidents(), [])
        disk.lose()
        disk.read(1, first=1000)
        wait_for(lambda: agent.incidents(), "an incident")
        self.assertEqual(int(agent.probe("block_io")["records"]), 1)

    def test_devices_left_out_stay_out(self):
        watched, excluded = self.disk(), self.disk()
        # One device under two names, its own and its identity: exclusion wins.
        agent = self.agent([watched, excluded], config={"devices": {
            "include": [watched.name, excluded.name], "exclude": ["loop:" + excluded.backing]}})
        for disk in (excluded, watched):
            disk.lose()
        excluded.fail_reads(50)
        watched.fail()
        found = wait_for(lambda: [i["subject"]["name"] for i in agent.incidents()], "an incident")
        time.sleep(1.2)  # a tick: counts are looked at once a second
        self.assertEqual(found, [watched.name])
        self.assertEqual(len(agent.incidents()), 1)
        self.assertIsNone(agent.device(excluded.name))
        ignored = {d["name"]: d["reason"] for d in agent.status()["ignored_devices"]}
        self.assertIn("devices.exclude", ignored[excluded.name])

    def test_defaults_watch_no_loop_device(self):
        disk = self.disk()
        agent = self.agent([])
        disk.lose()
        disk.fail_reads(20)
        time.sleep(1.5)  # a tick: counts are looked at once a second
        self.assertEqual(agent.incidents(), [])
        for device in agent.status().get("devices", []):
            self.assertNotRegex(device["name"], "^(loop|ram|zram)")

    def test_detects_a_device_that_appears_later(self):
        agent = self.agent([], config={"devices": {"include": ["loop"]}})
        disk = self.disk()
        wait_for(lambda: disk.backing in (agent.device(disk.name) or {"id": ""})["id"], "the new device")
        disk.lose_and_fail()
        found = wait_for(lambda: [i for i in agent.incidents() if i["subject"]["name"] == disk.name], "its incident")
        self.assertIn(disk.backing, found[0]["subject"]["id"])


class ManageTest(E2eTest):
    def one_incident(self, **config):
        disk = self.disk()
        agent = self.agent([disk], config=config)
        disk.lose_and_fail()
        return disk, agent, agent.wait_stored()[0]["id"]

    @staticmethod
    def settled(agent, incident_id):
        """The incident once its counts stand still: repeats of a failure are added once a second."""
        seen = []

        def same_twice():
            seen.append(agent.incident(incident_id))
            if len(seen) > 1 and seen[-1] == seen[-2]:
                return True
            time.sleep(1.5)
            return False

        wait_for(same_twice, "the counts to stand still")
        return seen[-1]

    def test_ids_may_be_shortened(self):
        _, agent, incident_id = self.one_incident()
        self.assertEqual(agent.incident(incident_id[:13])["id"], incident_id)
        done = agent.ctl("incident", "show", "ffffffff")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*no incident ffffffff[^\n]*\n$")
        # Two of one second share a prefix.
        agent.ctl("dump", "--reason", "a second one")
        agent.wait_stored(2)
        done = agent.ctl("incident", "show", incident_id[:1])
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*ambiguous[^\n]*\n$")

    def test_pin_unpin_delete(self):
        _, agent, incident_id = self.one_incident(incident={"quiet_after": "1s"})
        wait_for(lambda: agent.incident(incident_id)["state"] == "CLOSED", "the incident to close")
        self.assertEqual(agent.ctl("incident", "pin", incident_id[:13]).returncode, 0)
        self.assertTrue(agent.incident(incident_id)["pinned"])
        done = agent.ctl("incident", "delete", incident_id, "--yes")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*pinned[^\n]*\n$")
        self.assertEqual(agent.ctl("incident", "unpin", incident_id).returncode, 0)
        self.assertFalse(agent.incident(incident_id)["pinned"])
        self.assertEqual(agent.ctl("incident", "delete", incident_id, "--yes").returncode, 0)
        self.assertEqual(agent.incidents(), [])
        self.assertEqual(agent.stored_folders(), [])
        # Gone for good, also for the next life.
        agent.stop()
        agent.start()
        self.assertEqual(agent.incidents(), [])

    def test_an_open_incident_is_not_deleted(self):
        _, agent, incident_id = self.one_incident()
        done = agent.ctl("incident", "delete", incident_id, "--yes")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*still open[^\n]*\n$")
        self.assertEqual(len(agent.stored_folders()), 1)

    def test_verify_names_the_damaged_file(self):
        _, agent, incident_id = self.one_incident()
        done = agent.ctl("incident", "verify", incident_id)
        self.assertEqual(done.returncode, 0, done.stderr)
        archive = os.path.join(agent.stored_folders()[0], "capture.tar.zst")
        shutil.copy(archive, self.folder)

        def check(problem):
            done = agent.ctl("incident", "verify", incident_id)
            self.assertEqual(done.returncode, 1, problem)
            self.assertIn("capture.tar.zst", done.stdout + done.stderr, problem)
            report = json.loads(agent.ctl("incident", "verify", incident_id, "--json").stdout)
            self.assertFalse(report["ok"], problem)
            self.assertIn("node1/capture.tar.zst", " ".join(p["file"] for p in report["problems"]), problem)
            shutil.copy(os.path.join(self.folder, "capture.tar.zst"), archive)

        with open(archive, "r+b") as file:
            file.seek(os.path.getsize(archive) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        check("one bit flipped")
        os.truncate(archive, os.path.getsize(archive) - 1)
        check("truncated by a byte")
        os.truncate(archive, 0)
        check("truncated to nothing")
        self.assertEqual(agent.ctl("incident", "verify", incident_id).returncode, 0, "whole again")
        manifest = os.path.join(os.path.dirname(archive), "manifest.json")
        with open(manifest, "a", encoding="utf-8") as file:
            file.write("}")
        done = agent.ctl("incident", "verify", incident_id)
        self.assertEqual(done.returncode, 1)
        self.assertIn("manifest.json", done.stdout + done.stderr)

    def test_restart_keeps_what_is_known(self):
        _, agent, incident_id = self.one_incident()
        agent.ctl("incident", "pin", incident_id)
        before = self.settled(agent, incident_id)
        self.assertEqual(agent.stop(), 0)
        agent.start()
        self.assertEqual(agent.incident(incident_id), before)
        self.check_stored_once(agent, incident_id)

    def test_dump(self):
        agent = self.agent([self.disk()])
        done = agent.ctl("dump", "--reason", "before the maintenance")
        self.assertEqual(done.returncode, 0, done.stderr)
        incident = agent.wait_stored()[0]
        self.assertEqual((incident["kind"], incident["domain"], incident["reason"]),
                         ("manual", "REQUESTED", "before the maintenance"))
        self.check_stored_once(agent, incident["id"])

    def test_selftest(self):
        agent = self.agent([self.disk()])
        done = agent.ctl("selftest")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        incidents = agent.incidents()
        self.assertEqual([i["kind"] for i in incidents], ["io.error"])
        name = incidents[0]["subject"]["name"]
        wait_for(lambda: agent.device(name) is None, f"{name} to be watched no longer than the test")
        for attached in glob.glob("/sys/block/loop*/loop/backing_file"):
            with open(attached, encoding="utf-8") as file:
                self.assertNotIn("selftest", file.read(), "the selftest's own device is gone")

    def test_event_watch(self):
        disk = self.disk()
        agent = self.agent([disk])
        with subprocess.Popen([harness.FFDCCTL, "--socket", agent.socket, "event", "watch", "--json"],
                              stdout=subprocess.PIPE, text=True) as watch:
            try:
                time.sleep(0.5)  # it subscribes
                disk.lose_and_fail()
                event = json.loads(watch.stdout.readline())
                self.assertEqual((event["kind"], event["subject"]["name"]), ("io.error", disk.name))
                self.assertIsNone(watch.poll(), "it watches on")
            finally:
                watch.terminate()
        incident = agent.wait_stored()[0]
        listed = agent.ctl_json("event", "list")["events"]
        self.assertEqual([e["id"] for e in listed], [event["id"]])
        self.assertEqual(listed[0]["incident_id"], incident["id"])

    def test_what_people_read(self):
        """Plain pages: no colour, no line over 100 columns, exit 0, nothing on stderr."""
        _, agent, incident_id = self.one_incident()
        for command in (["status"], ["probe", "list"], ["event", "list"], ["incident", "list"],
                        ["incident", "show", incident_id], ["config", "show"]):
            done = agent.ctl(*command)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertTrue(done.stdout.strip(), command)
            self.assertNotIn("\x1b", done.stdout, command)
            for line in done.stdout.splitlines():
                self.assertLessEqual(len(line), 100, f"{command}: {line}")

    def test_socket_is_for_root_and_its_group(self):
        agent = self.agent([self.disk()])
        self.assertEqual(os.stat(agent.socket).st_mode & 0o777, 0o660)


if __name__ == "__main__":
    harness.main()
