# SPDX-License-Identifier: Apache-2.0
"""A store on a mount that hangs, fails, is stale, is not there or is another one: nothing sealed is
lost, all of it arrives once. What NFS itself does is seen in virtual machines (tests/vm); here a FUSE
filesystem does it on command."""

import glob
import json
import os
import shutil
import time
import uuid

import harness
from disks import run
from harness import E2eTest, capture_of, names_in, wait_for

# A capture takes some seconds to be sent.
SLOW = {"store": {"max_bytes_per_second": "64KiB"}}
HANG_FOUND_S = 90  # a worker without progress for 30 s, and one that looks at the store for 10


class MountedStore(E2eTest):
    """What tests of a store on a mount share."""

    def wait_reachable(self, agent, timeout=60):
        wait_for(lambda: agent.status()["store"]["reachable"], "the store to be reached", timeout)

    def wait_lost(self, agent, timeout=60):
        """One incident of its own, captured."""
        found = wait_for(agent.store_incidents, "store.lost", timeout, poll=0.5)
        self.assertEqual(len(found), 1, found)
        self.assertEqual((found[0]["domain"], found[0]["severity"]), ("X1", "CRITICAL"))
        self.assertEqual(found[0]["subject"]["id"], "dir:" + agent.store)
        self.assertTrue(agent.status()["store"]["lost"])
        return found[0]["id"]

    def check_restored(self, agent, lost_id, timeout=120):
        def events():
            found = agent.incident(lost_id)["events"]
            return found if "store.restored" in [e["kind"] for e in found] else None
        found = wait_for(events, "store.restored", timeout, poll=0.5)
        self.assertEqual([e["kind"] for e in found], ["store.lost", "store.restored"])
        self.assertGreater(int(found[0]["duration_ns"]), 1_000_000_000)
        self.assertEqual(len(agent.store_incidents()), 1, "one an outage")
        self.assertFalse(agent.status()["store"]["lost"])

    def check_all_arrive(self, agent, count, timeout=120):
        """Every sealed capture, the store's own too, exactly once, every checksum right."""
        for incident in agent.wait_stored(count, timeout=timeout):
            self.check_stored_once(agent, incident["id"])
        verified = agent.ctl_json("store", "verify", "--all")
        self.assertEqual(verified["problems"], [])
        self.assertEqual(int(verified["captures_done"]), count + len(agent.store_incidents()))

    def check_away(self, command, *words):
        """While the mount does as told, a failure is captured and waits; then all of it arrives."""
        first, second = self.disk(), self.disk()
        mount = self.fault_fs()
        agent = self.agent([first, second], store=mount.path)
        first.lose_and_fail()
        agent.wait_stored()
        mount.set(command)
        second.lose_and_fail()
        waiting = wait_for(agent.sealed, "the capture to wait in the spool")
        lost_id = self.wait_lost(agent, HANG_FOUND_S)
        problem = agent.status()["store"]["error"]
        for word in words:
            self.assertIn(word, problem)
        self.assertEqual(agent.sealed(), waiting)
        mount.set("ok")
        self.check_restored(agent, lost_id)
        self.check_all_arrive(agent, 2)
        return agent


class MountTest(MountedStore):
    def test_hang(self):
        agent = self.check_away("hang", "does not answer")
        wait_for(lambda: len(agent.pids()) == 2, "the workers that hung to be gone")

    def test_io_error(self):
        self.check_away("eio", "Input/output error")

    def test_read_only(self):
        self.check_away("erofs", "Read-only file system", "read-write")

    def test_stale(self):
        self.check_away("estale", "Stale file handle")

    def test_full_is_not_lost(self):
        first, second = self.disk(), self.disk()
        mount = self.fault_fs()
        agent = self.agent([first, second], store=mount.path)
        first.lose_and_fail()
        agent.wait_stored()
        mount.set("enospc")
        second.lose_and_fail()
        wait_for(lambda: "is full" in agent.status()["store"]["error"], "the store to be called full")
        time.sleep(8)  # longer than it takes to call a store lost
        self.assertEqual(agent.store_incidents(), [])
        self.assertEqual(names_in(os.path.join(self.folder, "below/v1/default/tmp")), [],
                         "a half upload takes no room in a full store")
        mount.set("ok")
        self.check_all_arrive(agent, 2)

    def test_hangs_in_the_middle_and_goes_on(self):
        """The half that was sent stays, and is continued."""
        disk = self.disk()
        mount = self.fault_fs()
        agent = self.agent([disk], store=mount.path, config=SLOW)
        self.wait_reachable(agent)
        disk.lose_and_fail()
        halves = os.path.join(self.folder, "below/v1/default/tmp/*/capture.tar.zst")
        part = wait_for(lambda: glob.glob(halves), "the upload to begin", poll=0.01)[0]
        mount.set("hang")
        inode = os.stat(part).st_ino
        lost_id = self.wait_lost(agent, HANG_FOUND_S)
        mount.set("ok")
        self.check_restored(agent, lost_id)
        self.check_all_arrive(agent, 1)
        stored = os.path.join(agent.stored_folders()[0], "capture.tar.zst")
        self.assertEqual(os.stat(stored.replace(mount.path, os.path.join(self.folder, "below"))).st_ino, inode)


class WrongStoreTest(MountedStore):
    def test_not_mounted(self):
        """The empty folder below the mount is not written to."""
        first, second = self.disk(), self.disk()
        server = os.path.join(self.folder, "server")
        os.mkdir(server)
        mount = self.mount("store", "--bind", server)
        agent = self.agent([first, second], store=mount.path)
        first.lose_and_fail()
        agent.wait_stored()
        run("umount", "-l", mount.path)
        second.lose_and_fail()
        lost_id = self.wait_lost(agent)
        self.assertIn("marker", agent.status()["store"]["error"])
        self.assertEqual(names_in(mount.path), [])
        # Also an agent that starts without the mount knows what it is missing.
        self.assertEqual(agent.stop(), 0)
        agent.start()
        wait_for(lambda: "marker" in agent.status()["store"]["error"], "the marker to be missed")
        self.assertEqual(names_in(mount.path), [])
        run("mount", "--bind", server, mount.path)
        self.wait_reachable(agent)
        self.check_all_arrive(agent, 2)
        self.assertEqual([i["id"] for i in agent.store_incidents()], [lost_id], "one an outage")

    def test_deleted_while_shipping(self):
        disk = self.disk()
        agent = self.agent([disk], config=SLOW)
        self.wait_reachable(agent)
        disk.lose_and_fail()
        halves = os.path.join(agent.cluster_dir, "tmp", "*", "capture.tar.zst")
        wait_for(lambda: glob.glob(halves), "the upload to begin", poll=0.01)
        shutil.rmtree(agent.store)
        self.wait_lost(agent)
        self.assertFalse(os.path.exists(agent.cluster_dir))
        done = agent.ctl("store", "init")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_all_arrive(agent, 1)

    def test_two_agents_of_one_name(self):
        """Each keeps what it captured, and all of it lies in the store."""
        disks = [self.disk(), self.disk()]
        store = os.path.join(self.folder, "shared")
        agents = [self.agent([disk], store=store) for disk in disks]
        wait_for(lambda: "two agents have one name" in agents[1].status()["store"]["error"], "it to be said")
        for disk in disks:
            disk.lose_and_fail()
        for agent in agents:
            agent.wait_stored()
        self.assertEqual(len(agents[0].stored_folders()), 2)
        self.assertEqual(agents[0].ctl_json("store", "verify", "--all")["problems"], [])
        # The same incident on both, as in a cluster: the second one is turned away, and keeps its own.
        sealed = os.path.join(agents[1].spool, "sealed")
        other = agents[0].stored_folders()[0]
        incident_id = os.path.basename(os.path.dirname(other))
        self.assertEqual(agents[1].stop(), 0)
        os.makedirs(sealed, exist_ok=True)
        shutil.copytree(other, os.path.join(sealed, incident_id))
        archive = os.path.join(sealed, incident_id, "capture.tar.zst")
        with open(archive, "ab") as file:
            file.write(b"x")
        manifest_path = os.path.join(sealed, incident_id, "manifest.json")
        with open(manifest_path, encoding="utf-8") as file:
            manifest = json.load(file)
        manifest["archive_bytes"] = os.path.getsize(archive)
        manifest["archive_sha256"] = harness.sha256(archive)
        with open(manifest_path, "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        agents[1].start()
        wait_for(lambda: "another capture of incident" in agents[1].status()["store"]["error"], "it to be said")
        self.assertEqual(agents[1].sealed(), [incident_id])
        self.assertEqual(agents[0].ctl_json("store", "verify", "--all")["problems"], [])


class QueueTest(E2eTest):
    COUNT = 2000

    def test_many_queued_captures_arrive_after_an_outage(self):
        disk = self.disk()
        memory = self.tmpfs("memory", 2 << 30)
        in_the_way = os.path.join(memory.path, "store")
        with open(in_the_way, "w", encoding="utf-8"):
            pass
        agent = self.agent([disk], store=in_the_way, spool=os.path.join(memory.path, "spool"),
                           config={"store": {"max_incidents": 0}})
        disk.lose_and_fail()
        first_id = wait_for(agent.sealed, "a capture")[0]
        wait_for(agent.store_incidents, "the store to be lost")
        wait_for(lambda: not agent.staged(), "both captures to be sealed")
        self.assertEqual(agent.stop(), 0)
        self.multiply(os.path.join(agent.spool, "sealed"), first_id)
        agent.start()
        wait_for(lambda: int(agent.status()["spool"]["captures"]) == self.COUNT + 1, "the queue to be found", 120)
        os.unlink(in_the_way)
        wait_for(lambda: int(agent.status()["spool"]["captures"]) == 0, "the queue to be empty", 900, poll=1)
        self.assertEqual(int(agent.status()["spool"]["dropped"]), 0)
        self.assertEqual(len(agent.stored_folders()), self.COUNT)
        self.assertEqual(agent.leftovers(), [])
        verified = agent.ctl_json("store", "verify", "--all")
        self.assertEqual(verified["problems"], [])
        self.assertEqual(int(verified["captures_done"]), self.COUNT + 1)

    def multiply(self, sealed, incident_id):
        """So many captures of other incidents, each a minute older than the one before."""
        with open(os.path.join(sealed, incident_id, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        opened_ms = int(incident_id.replace("-", "")[:12], 16)
        for number in range(1, self.COUNT):
            digits = f"{opened_ms - number * 60_000:012x}7{uuid.uuid4().hex[13:]}"
            new_id = str(uuid.UUID(digits))
            folder = os.path.join(sealed, new_id)
            shutil.copytree(os.path.join(sealed, incident_id), folder)
            with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
                json.dump({**manifest, "incident_id": new_id, "repeat": number % 2 == 0}, file)
            with open(os.path.join(folder, "incident.json"), "w", encoding="utf-8") as file:
                json.dump({"id": new_id}, file)


if __name__ == "__main__":
    harness.main()
