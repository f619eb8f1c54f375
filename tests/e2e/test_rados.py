# SPDX-License-Identifier: Apache-2.0
"""The store in a real Ceph cluster: what was sealed arrives there exactly once, whatever happens to
the cluster meanwhile, and the agent says what is wrong."""

import hashlib
import json
import os
import shutil
import signal
import tarfile
import tempfile
import time

import harness
from ceph import Ceph
from disks import run
from harness import BIN, DISK_DIR, E2eTest, capture_of, seal_big_capture, sha256, wait_for

PATIENCE = 150  # a cluster and an agent on two cores, and pauses between tries of up to a minute
MIB = 1 << 20
BIG = 160 * MIB  # three objects
ARCHIVE = harness.ARCHIVE


class RadosTest(E2eTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster_folder = tempfile.mkdtemp(prefix="ffdc-ceph.", dir=DISK_DIR)
        cls.addClassCleanup(shutil.rmtree, cls.cluster_folder, True)
        cls.ceph = Ceph(cls.cluster_folder)
        cls.addClassCleanup(cls.ceph.stop)
        cls.ceph.start()
        cls.ceph.make_pool("ffdc")
        cls.ceph.make_pool("limited")
        # As the user guide says.
        cls.conf = cls.ceph.make_client(
            "ffdc", ["mon", "allow r", "osd", "allow rw pool=ffdc, allow rw pool=limited"])

    def url(self, pool="ffdc", conf=None, client="ffdc"):
        # A namespace a test: nobody sees what another one has left.
        self.place = (pool, self._testMethodName)
        return f"rados://{pool}/{self._testMethodName}?conf={conf or self.conf}&id={client}"

    def rados_agent(self, disks=(), url=None, **options):
        config = options.pop("config", {})
        config.setdefault("store", {})["url"] = url or self.url()
        agent = self.agent(disks, config=config, **options)
        agent.below_store = [f"endpoint:{address}" for address in self.ceph.monitors()]
        return agent

    def rados(self, *args):
        pool, namespace = self.place
        return self.ceph.rados("-p", pool, "-N", namespace, *args)

    def objects(self):
        return sorted(self.rados("ls").split())

    def fetch_archive(self, folder):
        """SHA-256 of what `rados get` and cat make of it."""
        digest = hashlib.sha256()
        path = os.path.join(self.folder, "piece")
        for piece in [o for o in self.objects() if o.startswith(f"{folder}/{ARCHIVE}.")]:
            self.rados("get", piece, path)
            with open(path, "rb") as file:
                digest.update(file.read())
        return digest.hexdigest()

    def check_arrived(self, agent, ids):
        """All of them, once, whole, and nothing else, but what was captured because the store was lost."""
        wait_for(lambda: [i["id"] for i in agent.incidents() if capture_of(i)["state"] == "STORED"] == sorted(ids),
                 "all incidents to be stored", PATIENCE, poll=0.5)
        wait_for(lambda: not agent.leftovers(), "an empty spool and staging", PATIENCE)
        lost = [i["id"] for i in agent.store_incidents()]
        expected, entries = {"v1/default/incidents", "v1/default/store.json", "v1/default/nodes"}, {}
        for incident_id in ids + lost:
            # The id of a capture is 48 bits of milliseconds, then chance.
            day = time.strftime("%Y-%m-%d", time.gmtime(int(incident_id.replace("-", "")[:12], 16) / 1000))
            folder = f"v1/default/incidents/{day}/{incident_id}"
            path = os.path.join(self.folder, "manifest")
            self.rados("get", f"{folder}/node1/manifest.json", path)
            with open(path, encoding="utf-8") as file:
                manifest = json.load(file)
            self.assertEqual(manifest["incident_id"], incident_id)
            self.assertEqual(self.fetch_archive(f"{folder}/node1"), manifest["archive_sha256"])
            pieces = -(-int(manifest["archive_bytes"]) // (64 * MIB))
            expected |= {f"v1/default/incidents/{day}", f"{folder}/incident.json", f"{folder}/node1/manifest.json"}
            expected |= {f"{folder}/node1/{ARCHIVE}.{number:06}" for number in range(pieces)}
            entries.setdefault(f"v1/default/incidents/{day}", set()).add(f"{incident_id}/node1")
            verified = agent.ctl("incident", "verify", incident_id)
            self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.assertEqual(self.objects(), sorted(expected))
        for index, keys in entries.items():
            self.assertEqual(set(self.rados("listomapkeys", index).split()), keys)

    def wait_problem(self, agent, *words):
        def said():
            error = agent.status()["store"].get("error", "")
            return all(word in error for word in words) and error
        error = wait_for(said, f"a problem with {words} in the status", PATIENCE, poll=0.5)
        self.assertTrue([p for p in agent.problems() if error in p], agent.problems())
        return error

    def sealed_incident(self, agent, disk):
        disk.lose_and_fail()
        incident = agent.wait_incidents(len(agent.incidents()) or 1, "SEALED", PATIENCE)[-1]
        self.assertIn(incident["id"], agent.sealed())
        return incident["id"]

    def check_no_problem(self, agent):
        wait_for(lambda: not agent.status()["store"].get("error"), "the problem to be over", PATIENCE, poll=0.5)


class ShipTest(RadosTest):
    def test_ships_verifies_pulls_and_deletes(self):
        disks = [self.disk(), self.disk()]
        agent = self.rados_agent(disks, config={"incident": {"quiet_after": "500ms"}})
        for number, disk in enumerate(disks):
            disk.lose_and_fail()
            agent.wait_stored(number + 1, PATIENCE)
        ids = [incident["id"] for incident in agent.incidents()]
        self.check_arrived(agent, ids)
        # What it keeps loaded for its workers has started no thread: it would not survive the fork.
        launcher = agent.launcher_pid()
        self.assertEqual(len(os.listdir(f"/proc/{launcher}/task")), 1)
        with open(f"/proc/{launcher}/maps", encoding="utf-8") as maps:
            self.assertIn("librados.so", maps.read())
        shown = agent.ctl_json("incident", "show", ids[0])
        self.assertEqual(len(shown["manifests"]), 1)
        path = os.path.join(self.folder, "pulled.tar")
        pulled = agent.ctl("incident", "pull", ids[0], "--output", path)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        with tarfile.open(path) as tar:
            archive = tar.extractfile(f"{ids[0]}/node1/{ARCHIVE}").read()
        self.assertEqual(hashlib.sha256(archive).hexdigest(), shown["manifests"][0]["archive_sha256"])
        wait_for(lambda: agent.incidents()[0]["state"] == "CLOSED", "the incident to close")
        deleted = agent.ctl("incident", "delete", ids[0], "--yes")
        self.assertEqual(deleted.returncode, 0, deleted.stderr)
        self.check_arrived(agent, ids[1:])

    def test_killed_at_every_step(self):
        for point in ("ship.tmp_made", "ship.half_copied", "ship.archive_copied", "ship.copied", "ship.verified",
                      "ship.published"):
            with self.subTest(point):
                disk = self.disk()
                self.place = None
                agent = self.rados_agent([disk], start=False)
                self.place = ("ffdc", point)
                agent.sections["store"]["url"] = f"rados://ffdc/{point}?conf={self.conf}&id=ffdc"
                agent.start(env={"FFDC_CRASH_AT": point})
                disk.lose_and_fail()
                agent.wait_end(PATIENCE)
                agent.start()
                self.check_arrived(agent, [agent.incidents()[0]["id"]])
                agent.stop()

    def test_a_host_without_the_module(self):
        disk = self.disk()
        module = run("find", os.path.join(BIN, ".."), "-name", "ffdc_store_rados.so").stdout.strip()
        hide = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', os.path.dirname(module)]
        agent = self.rados_agent([disk], prefix=hide)
        self.wait_problem(agent, "install librados2, and ffdc_store_rados.so")
        incident_id = self.sealed_incident(agent, disk)
        agent.stop()
        agent.prefix = []
        agent.start()
        self.check_arrived(agent, [incident_id])


class FaultTest(RadosTest):
    def write_bytes(self):
        return json.loads(self.ceph.command("daemon", os.path.join(self.cluster_folder, "run", "osd.0.asok"),
                                            "perf", "dump"))["osd"]["op_w_in_bytes"]

    def test_osd_stopped_while_writing(self):
        disk = self.disk()
        # Slow enough to be stopped half-way.
        agent = self.rados_agent([disk], start=False, config={"store": {"max_bytes_per_second": "16MiB"}})
        big = seal_big_capture(agent, BIG)
        before = self.write_bytes()
        agent.start()
        # One object is written, there is more to come.
        wait_for(lambda: [o for o in self.objects() if o.endswith(f"{ARCHIVE}.000001")], "half of the capture",
                 PATIENCE, poll=0.02)
        self.ceph.signal("osd", signal.SIGSTOP)
        try:
            self.wait_problem(agent, "does not answer")
            small = self.sealed_incident(agent, disk)
            begin = time.monotonic()
            agent.status()
            self.assertLess(time.monotonic() - begin, 5)  # it takes some milliseconds
            self.assertEqual(agent.sealed(), sorted([big, small]))
        finally:
            self.ceph.resume_osd()
        self.check_arrived(agent, [big, small])
        self.check_no_problem(agent)
        # It went on where it had ended: far from all of it was sent twice.
        self.assertLess(self.write_bytes() - before, BIG + 64 * MIB)

    def test_monitor_killed_and_restarted(self):
        disks = [self.disk(), self.disk()]
        agent = self.rados_agent(disks)
        disks[0].lose_and_fail()
        first = agent.wait_stored(1, PATIENCE)[0]["id"]
        wait_for(lambda: agent.probe("endpoints")["attached_to"] == "2 addresses: 2 storage",
                 "the monitor's addresses to be watched", PATIENCE, poll=0.5)
        self.ceph.kill("mon")
        try:
            self.wait_problem(agent, "no monitor")
            # A worker that is connected still writes: the storage itself is well.
            lost = wait_for(lambda: self.events_of_lost_store(agent), "the store to be lost", PATIENCE, poll=0.5)
            self.assertIn("path.degraded", [e["kind"] for e in lost if e["subject"]["id"] in agent.below_store])
            self.assertEqual(len(agent.store_incidents()), 1, "the monitor and the store are one")
            disks[1].lose_and_fail()
            second = agent.wait_incidents(2, timeout=PATIENCE)[-1]["id"]
            wait_for(lambda: agent.sealed() == [second], "the capture to be sealed", PATIENCE)
        finally:
            self.ceph.start_mon()
        self.check_arrived(agent, [first, second])
        self.check_no_problem(agent)

    def events_of_lost_store(self, agent):
        """Of its incident, if there is one."""
        events = [agent.incident(i["id"])["events"] for i in agent.store_incidents()]
        return next((found for found in events if "store.lost" in [e["kind"] for e in found]), None)

    def check_waits_for_room(self, agent, disk, free):
        """A full pool is an event of its own, whose capture waits with the other one."""
        disk.lose_and_fail()
        wait_for(lambda: len(agent.sealed()) == 2, "two captures in the spool", PATIENCE)
        self.wait_problem(agent, "full")
        incidents = agent.incidents()
        self.assertEqual(sorted(i["kind"] for i in incidents), ["io.error", "resource.threshold"])
        pool = next(i for i in incidents if i["kind"] == "resource.threshold")
        self.assertEqual(pool["subject"]["id"], f"ceph:{self.ceph.fsid}/{self.place[0]}")
        self.assertEqual(pool["severity"], "CRITICAL")
        free()
        self.check_arrived(agent, [i["id"] for i in incidents])
        self.check_no_problem(agent)

    def test_pool_quota(self):
        disk = self.disk()
        url = self.url("limited")
        path = os.path.join(self.folder, "filler")
        with open(path, "wb") as file:
            file.truncate(MIB)
        self.ceph.rados("-p", "limited", "put", "filler", path)
        self.ceph.command("osd", "pool", "set-quota", "limited", "max_bytes", str(MIB))
        self.ceph.wait_for(lambda: "full_quota" in self.ceph.command("osd", "pool", "ls", "detail"), "the quota")
        try:
            agent = self.rados_agent([disk], url=url)
            self.check_waits_for_room(
                agent, disk, lambda: self.ceph.command("osd", "pool", "set-quota", "limited", "max_bytes", "0"))
        finally:
            self.ceph.command("osd", "pool", "set-quota", "limited", "max_bytes", "0")
            self.ceph.rados("-p", "limited", "rm", "filler")

    def set_full(self, *ratios):
        for name, ratio in zip(("nearfull", "backfillfull", "full"), ratios):
            self.ceph.command("osd", f"set-{name}-ratio", ratio)

    def test_pool_full(self):
        disk = self.disk()
        url = self.url()
        self.set_full("0.000001", "0.000002", "0.000003")
        try:
            self.ceph.wait_for(lambda: "OSD_FULL" in self.ceph.command("health", "detail"), "a full OSD")
            agent = self.rados_agent([disk], url=url)
            self.check_waits_for_room(agent, disk, lambda: self.set_full_back())
        finally:
            self.set_full_back()
            self.ceph.wait_for(lambda: "OSD_FULL" not in self.ceph.command("health", "detail"), "room")

    def set_full_back(self):
        for name, ratio in (("full", "0.95"), ("backfillfull", "0.9"), ("nearfull", "0.85")):
            self.ceph.command("osd", f"set-{name}-ratio", ratio)

    def test_wrong_key_and_none(self):
        disk = self.disk()
        keyring = os.path.join(self.folder, "keyring")
        url = self.url(conf=self.ceph.client_conf("copy", keyring))
        agent = self.rados_agent([disk], url=url)
        self.wait_problem(agent, "there is no key for client.ffdc")
        run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "client.ffdc")
        self.wait_problem(agent, "refuses client.ffdc")
        incident_id = self.sealed_incident(agent, disk)
        shutil.copy(os.path.join(self.cluster_folder, "client.ffdc.keyring"), keyring)
        self.check_arrived(agent, [incident_id])
        self.check_no_problem(agent)

    def test_no_such_pool(self):
        disk = self.disk()
        conf = self.ceph.make_client("later", ["mon", "allow r", "osd", "allow rw pool=later"])
        agent = self.rados_agent([disk], url=self.url("later", conf, "later"))
        self.wait_problem(agent, "has no pool later")
        incident_id = self.sealed_incident(agent, disk)
        self.ceph.make_pool("later")
        self.check_arrived(agent, [incident_id])
        self.check_no_problem(agent)

    def test_no_right_to_write(self):
        disk = self.disk()
        conf = self.ceph.make_client("reader", ["mon", "allow r", "osd", "allow r pool=ffdc"])
        agent = self.rados_agent([disk], url=self.url(conf=conf, client="reader"))
        self.wait_problem(agent, "does not let this node write")
        incident_id = self.sealed_incident(agent, disk)
        self.ceph.command("auth", "caps", "client.reader", "mon", "allow r", "osd", "allow rw pool=ffdc")
        self.check_arrived(agent, [incident_id])
        self.check_no_problem(agent)


class KnownStoreTest(RadosTest):
    def test_another_pool_of_its_name(self):
        """A pool that was made anew is not written to before a person says so."""
        disks = [self.disk(), self.disk()]
        self.ceph.make_pool("renewed")
        conf = self.ceph.make_client("renewed", ["mon", "allow r", "osd", "allow rw pool=renewed"])
        agent = self.rados_agent(disks, url=self.url("renewed", conf, "renewed"))
        disks[0].lose_and_fail()
        agent.wait_stored(1, PATIENCE)
        known = agent.status()["store"]["id"]
        self.ceph.command("osd", "pool", "delete", "renewed", "renewed", "--yes-i-really-really-mean-it")
        self.ceph.make_pool("renewed")
        self.wait_problem(agent, "marker v1/default/store.json is missing", "store init")
        disks[1].lose_and_fail()
        incident_id = agent.wait_incidents(2, timeout=PATIENCE)[-1]["id"]
        wait_for(lambda: incident_id in agent.sealed(), "the capture to be sealed", PATIENCE)
        self.assertEqual(self.objects(), [])
        done = agent.ctl("store", "init")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.wait_stored(2, PATIENCE)
        self.check_no_problem(agent)
        self.assertNotEqual(agent.status()["store"]["id"], known)
        verified = agent.ctl("incident", "verify", incident_id)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_two_agents_of_one_name(self):
        disks = [self.disk(), self.disk()]
        url = self.url()
        agents = [self.rados_agent([disk], url=url) for disk in disks]
        wait_for(lambda: "two agents have one name" in agents[1].status()["store"].get("error", ""), "it to be said",
                 PATIENCE, poll=0.5)
        for disk in disks:
            disk.lose_and_fail()
        for agent in agents:
            agent.wait_stored(1, PATIENCE)
        verified = agents[0].ctl_json("store", "verify", "--all")
        self.assertEqual(verified.get("problems", []), [])
        self.assertEqual(int(verified["captures_done"]), 2)

    def test_migrates_to_a_folder_and_back(self):
        disk = self.disk()
        url = self.url()
        agent = self.rados_agent([disk], url=url)
        disk.lose_and_fail()
        incident_id = agent.wait_stored(1, PATIENCE)[0]["id"]
        self.check_arrived(agent, [incident_id])
        folder = "dir:" + os.path.join(self.folder, "moved")
        other = url.replace(self.place[1], "moved")
        for source, target in ((url, folder), (folder, other), (url, other)):
            moved = agent.ctl("store", "migrate", source, target)
            self.assertEqual(moved.returncode, 0, moved.stdout + moved.stderr)
        stored = [o for o in self.objects() if o.startswith("v1/default/incidents/")]
        digest = self.fetch_archive(os.path.dirname(next(o for o in stored if f"{ARCHIVE}." in o)))
        self.place = (self.place[0], "moved")
        self.assertEqual([o for o in self.objects() if o.startswith("v1/default/incidents/")], stored)
        self.assertEqual(self.fetch_archive(os.path.dirname(next(o for o in stored if f"{ARCHIVE}." in o))), digest)
        for path, _, files in os.walk(os.path.join(self.folder, "moved")):
            if ARCHIVE in files:
                self.assertEqual(sha256(os.path.join(path, ARCHIVE)), digest)


class ThresholdTest(RadosTest):
    def fill(self, percent):
        """The pool's only object, against a quota of 100 KiB."""
        path = os.path.join(self.folder, "filler")
        with open(path, "wb") as file:
            file.truncate(percent * 1024)
        self.ceph.rados("-p", "limited", "put", "filler", path)

    def test_one_event_a_crossing(self):
        # The store's own objects lie in the pool as well: the agent's are elsewhere.
        self.ceph.command("osd", "pool", "set-quota", "limited", "max_bytes", str(100 * 1024 * 100))
        self.fill(78 * 100)
        agent = self.rados_agent([self.disk()], url=self.url("limited"))

        def events():
            return [e for e in agent.ctl_json("event", "list").get("events", []) if e["kind"] == "resource.threshold"]
        event = wait_for(events, "the event", PATIENCE, poll=1)[0]
        self.assertEqual(event["severity"], "WARNING")
        self.assertEqual(event["subject"]["id"], f"ceph:{self.ceph.fsid}/limited")
        self.fill(93 * 100)
        wait_for(lambda: events()[0]["severity"] == "CRITICAL", "the event to become critical", PATIENCE, poll=1)
        self.fill(72 * 100)
        self.ceph.wait_for(lambda: self.stored() < 74 * 1024 * 100, "the figures")
        time.sleep(65)  # it is looked at once a minute: nothing may come of it
        self.assertEqual(len(events()), 1)
        self.assertEqual(agent.incidents()[0]["state"], "OPEN")
        self.fill(50 * 100)
        wait_for(lambda: int(events()[0].get("duration_ns", "0")) > 0, "the event to end", PATIENCE, poll=1)
        self.assertEqual(len(events()), 1)
        self.ceph.command("osd", "pool", "set-quota", "limited", "max_bytes", "0")

    def stored(self):
        pools = self.ceph.json("df", "detail")["pools"]
        return next(p for p in pools if p["name"] == "limited")["stats"]["stored"]


if __name__ == "__main__":
    harness.main()
