# SPDX-License-Identifier: Apache-2.0
"""The store or the spool is full, read-only, away or hung: nothing that was captured is
lost, the agent says what is wrong, and goes on watching."""

import json
import os
import time

import harness
from disks import run
from harness import E2eTest, capture_of, stat_fields, wait_for

ANSWER_LIMIT_S = 5  # generous: it takes some milliseconds


class FaultTest(E2eTest):
    def file_in_the_way(self):
        """No folder can be made below it, until it is removed."""
        path = os.path.join(self.folder, "in-the-way")
        with open(path, "w", encoding="utf-8"):
            pass
        return path


class StoreFaultTest(FaultTest):
    def check_waits_in_spool(self, agent, *words, readable=False):
        """The capture is sealed and stays; status and the incident's page say why."""
        incident = agent.wait_incidents(1, "SEALED")[0]
        problem = wait_for(lambda: agent.status()["store"]["error"], "the store's problem in the status")
        for word in words:
            self.assertIn(word, problem)
        self.assertTrue([p for p in agent.problems() if problem in p], agent.problems())
        self.assertFalse(agent.status()["store"]["reachable"])
        self.assertEqual(agent.sealed(), [incident["id"]])
        self.assertEqual(agent.stored_folders(), [])
        # It can be checked where it is; that nobody can tell what else the store has is said.
        done = agent.ctl("incident", "verify", incident["id"], "--json")
        report = json.loads(done.stdout)
        self.assertEqual((report["ok"], done.returncode), (True, 0) if readable else (False, 1), done.stderr)
        self.assertGreater(int(report["files_checked"]), 10)
        self.assertEqual([p["file"] for p in report["problems"]], [] if readable else ["store"])
        return incident["id"]

    def check_arrives(self, agent, incident_id):
        agent.wait_stored(timeout=40)
        self.check_stored_once(agent, incident_id)
        wait_for(lambda: not agent.status()["store"]["error"], "the problem to be over")

    def test_full(self):
        disk = self.disk()
        full = self.tmpfs("full", 2 << 20)
        agent = self.agent([disk], store=os.path.join(full.path, "store"))
        full.fill()
        disk.lose_and_fail()
        incident_id = self.check_waits_in_spool(agent, agent.store, readable=True)
        full.free()
        self.check_arrives(agent, incident_id)

    def test_read_only(self):
        disk = self.disk()
        base = os.path.join(self.folder, "base")
        os.mkdir(base)
        mount = self.mount("read-only", "--bind", base)
        run("mount", "-o", "remount,bind,ro", mount.path)
        agent = self.agent([disk], store=mount.path)
        disk.lose_and_fail()
        incident_id = self.check_waits_in_spool(agent, mount.path, "read-write", readable=True)
        run("mount", "-o", "remount,bind,rw", mount.path)
        self.check_arrives(agent, incident_id)

    def test_no_folder(self):
        disk = self.disk()
        in_the_way = self.file_in_the_way()
        agent = self.agent([disk], store=os.path.join(in_the_way, "store"))
        disk.lose_and_fail()
        incident_id = self.check_waits_in_spool(agent, in_the_way)
        os.unlink(in_the_way)
        self.check_arrives(agent, incident_id)

    def test_no_permission(self):
        disk = self.disk()
        closed = os.path.join(self.folder, "closed")
        os.mkdir(closed, 0o700)
        os.chown(closed, 65534, 65534)
        # Root without the right to override permissions, as under a hardened service.
        drop = ["setpriv", "--inh-caps=-dac_override,-dac_read_search",
                "--bounding-set=-dac_override,-dac_read_search"]
        agent = self.agent([disk], store=os.path.join(closed, "store"), prefix=drop)
        disk.lose_and_fail()
        incident_id = self.check_waits_in_spool(agent, closed, "ermission")
        os.chmod(closed, 0o777)
        self.check_arrives(agent, incident_id)

    def test_waits_across_a_restart(self):
        disk = self.disk()
        in_the_way = self.file_in_the_way()
        agent = self.agent([disk], store=os.path.join(in_the_way, "store"))
        disk.lose_and_fail()
        incident_id = self.check_waits_in_spool(agent, in_the_way)
        self.assertEqual(agent.stop(), 0)
        os.unlink(in_the_way)
        agent.start()
        self.check_arrives(agent, incident_id)

    def test_store_goes_away_between_two_incidents(self):
        first, second = self.disk(), self.disk()
        mount = self.tmpfs("store", 64 << 20)
        agent = self.agent([first, second], store=mount.path)
        first.lose_and_fail()
        stored = agent.wait_stored()[0]["id"]
        run("mount", "-o", "remount,ro", mount.path)
        second.lose_and_fail()
        wait_for(lambda: agent.status()["store"]["error"], "the store's problem in the status")
        # What lies there can still be read.
        self.assertEqual(agent.ctl("incident", "verify", stored).returncode, 0)
        run("mount", "-o", "remount,rw", mount.path)
        for incident in agent.wait_stored(2, timeout=40):
            self.check_stored_once(agent, incident["id"])


class SpoolQuotaTest(FaultTest):
    def test_repeats_are_dropped_first(self):
        disk, other = self.disk(), self.disk()
        in_the_way = self.file_in_the_way()
        # Room for three captures or four, and the one of the store itself; there will be six.
        config = {"incident": {"quiet_after": "500ms"}}
        agent = self.agent([disk, other], store=os.path.join(in_the_way, "store"), config=config)
        for each in (disk, other):
            each.lose()
        disk.fail()
        wait_for(agent.store_incidents, "the store to be lost")
        size = int(capture_of(agent.wait_incidents(1, "SEALED")[0])["bytes"])
        self.assertEqual(agent.stop(), 0)
        config["spool"] = {"max_bytes": f"{max(5 * size, 65536)}B"}
        agent.start()
        for count in range(2, 6):
            wait_for(lambda: agent.incidents()[-1]["state"] == "CLOSED", "the incident to close")
            disk.fail()
            wait_for(lambda n=count: len(agent.incidents()) == n, f"incident {count}")
            wait_for(lambda: capture_of(agent.incidents()[-1])["state"] != "COLLECTING", "its capture")
        other.fail()
        wait_for(lambda: len(agent.incidents()) == 6 and
                 capture_of(agent.incidents()[-1])["state"] == "SEALED", "the other disk's first failure")

        def dropped():
            return [i for i in agent.incidents() if capture_of(i)["state"] == "DROPPED"]
        wait_for(dropped, "repeats to give way")
        time.sleep(1.2)  # a tick: it must stay so
        incidents = agent.incidents()
        self.assertEqual([i["repeat"] for i in incidents], [False, True, True, True, True, False])
        states = [capture_of(i)["state"] for i in incidents]
        self.assertEqual((states[0], states[5]), ("SEALED", "SEALED"), "first failures stay")
        gone = [i for i in incidents if capture_of(i)["state"] == "DROPPED"]
        self.assertTrue(all(i["repeat"] for i in gone))
        for incident in gone:
            self.assertIn("spool", capture_of(incident)["error"])
            self.assertFalse(incident["completeness"]["complete"])
            self.assertTrue(incident["completeness"]["missing"])
        spool = agent.status()["spool"]
        self.assertEqual(int(spool["dropped"]), len(gone))
        self.assertLessEqual(int(spool["bytes"]), int(spool["max_bytes"]))
        self.assertTrue([p for p in agent.problems() if "dropped" in p], agent.problems())
        kept = [i["id"] for i in incidents if i not in gone]
        self.assertEqual(agent.sealed(), sorted(kept))
        os.unlink(in_the_way)
        wait_for(lambda: [capture_of(i)["state"] for i in agent.incidents() if i["id"] in kept] ==
                 ["STORED"] * len(kept), "what was kept to be stored", timeout=60)
        for incident_id in kept:
            self.check_stored_once(agent, incident_id)


class HungTest(E2eTest):
    def check_answers(self, agent):
        begin = time.monotonic()
        status = agent.status()
        self.assertLess(time.monotonic() - begin, ANSWER_LIMIT_S)
        return status

    def check_hangs(self, agent):
        """A worker really hangs in the kernel."""
        def in_d_state():
            for pid in agent.pids():
                try:
                    if stat_fields(pid)[0] == "D":
                        return True
                except OSError:
                    pass
            return False
        wait_for(in_d_state, "a worker in D state")

    def test_hung_store(self):
        first, second = self.disk(), self.disk()
        mount = self.ext4("store")
        agent = self.agent([first, second], store=os.path.join(mount.path, "store"))
        wait_for(lambda: agent.status()["store"]["reachable"], "the store to be reached")
        mount.freeze()
        first.lose_and_fail()
        first_id = agent.wait_incidents(1, "SEALED")[0]["id"]
        self.check_hangs(agent)
        self.check_answers(agent)
        second.lose_and_fail()
        incidents = agent.wait_incidents(2, "SEALED")
        self.check_answers(agent)
        self.assertEqual(agent.sealed(), sorted([first_id, incidents[1]["id"]]))
        mount.thaw()
        for incident in agent.wait_stored(2, timeout=40):
            self.check_stored_once(agent, incident["id"])

    def test_hung_spool(self):
        first, second = self.disk(), self.disk()
        mount = self.ext4("spool")
        agent = self.agent([first, second], spool=os.path.join(mount.path, "spool"))
        mount.freeze()
        first.lose_and_fail()
        agent.wait_incidents(1)
        self.check_hangs(agent)
        self.check_answers(agent)
        second.lose_and_fail()
        incidents = agent.wait_incidents(2)
        self.check_answers(agent)

        def collected():
            ended = [os.path.join(agent.runtime, "captures", name, "status") for name in agent.staged()]
            return len(ended) == 2 and all(
                os.path.exists(os.path.join(folder, "io_history.pb")) for folder in ended)
        wait_for(collected, "both captures in the staging folder")
        self.assertEqual([capture_of(i)["state"] for i in incidents], ["COLLECTING", "COLLECTING"])
        mount.thaw()
        for incident in agent.wait_stored(2, timeout=40):
            self.check_stored_once(agent, incident["id"])
        agent.stop()
        agent.start()
        self.assertEqual([i["id"] for i in agent.incidents()], [i["id"] for i in incidents],
                         "the index has what happened while its disk hung")

    def test_hung_for_longer_than_any_deadline(self):
        """Store and spool of two agents hang until their workers are given up."""
        disks = [self.disk(), self.disk()]
        store, spool = self.ext4("store"), self.ext4("spool")
        agents = [self.agent([disks[0]], store=os.path.join(store.path, "store")),
                  self.agent([disks[1]], spool=os.path.join(spool.path, "spool"))]
        wait_for(lambda: agents[0].status()["store"]["reachable"], "the store to be reached")
        for mount, disk in ((store, disks[0]), (spool, disks[1])):
            mount.freeze()
            disk.lose_and_fail()
        for agent in agents:
            wait_for(lambda a=agent: int(a.status()["workers_abandoned"]) > 0, "a worker to be given up",
                     timeout=90, poll=0.5)
            self.assertTrue([p for p in agent.problems() if "hang" in p], agent.problems())
            self.check_answers(agent)
            # Given up, not piled up: the next try waits until the last one is gone.
            self.assertLess(len(agent.pids()), 12, "workers pile up")
        store.thaw()
        spool.thaw()
        for agent in agents:
            incident = agent.wait_stored(timeout=60)[0]
            self.check_stored_once(agent, incident["id"])
            wait_for(lambda a=agent: len(a.pids()) == 2, "the workers that hung to be gone")


if __name__ == "__main__":
    harness.main()
