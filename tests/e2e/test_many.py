# SPDX-License-Identifier: Apache-2.0
"""Many failures at once, and devices that vanish: everything is counted, nothing breaks."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import harness
from harness import E2eTest, capture_of, event_count, wait_for

DEVICES = 200
RSS_LIMIT = 100 << 20


class ManyTest(E2eTest):
    def check_rss(self, agent):
        if not harness.SANITIZED:
            self.assertLess(agent.rss_bytes(), RSS_LIMIT, "resident memory of the agent")

    def test_many_devices_fail_at_once(self):
        disks = []
        for _ in range(DEVICES):
            disks.append(self.disk(4 << 20, settle=False))
        agent = self.agent(disks, config={"incident": {"quiet_after": "10m"}})
        for disk in disks:
            disk.lose()
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(sum(pool.map(lambda disk: disk.read(2, first=300, stride=3), disks)), 2 * DEVICES)
        incidents = wait_for(lambda: len(agent.incidents()) == DEVICES and agent.incidents(),
                             f"{DEVICES} incidents")
        self.assertEqual({i["subject"]["name"] for i in incidents}, {d.name for d in disks})
        self.assertEqual(agent.ctl("status").returncode, 0)
        incidents = agent.wait_stored(DEVICES, timeout=150)
        self.assertLessEqual({event_count(i) for i in incidents}, {1, 2})  # see Shown
        self.assertEqual(len(agent.stored_folders()), DEVICES)
        wait_for(lambda: not agent.leftovers(), "an empty spool and staging")
        for incident in incidents[:: DEVICES // 5]:
            self.check_stored_once(agent, incident["id"])
        self.check_rss(agent)

    def test_device_vanishes_while_it_is_captured(self):
        for attempt in range(3):
            with self.subTest(attempt=attempt):
                disk = self.disk()
                agent = self.agent([disk])
                disk.lose()
                shown = self.shown(disk)
                disk.read(5, first=300, stride=3)
                disk.remove()
                os.unlink(disk.backing)
                incident = agent.wait_stored()[0]
                self.assertEqual(incident["subject"]["name"], disk.name)
                self.assertIn(disk.backing, incident["subject"]["id"])
                self.check_exact(agent, incident["id"], shown, 5)
                self.check_stored_once(agent, incident["id"])
                self.assertEqual(agent.stop(), 0)

    def test_a_number_reused_by_another_device(self):
        """What failed on the old loop7 is not blamed on the new one."""
        agent = self.agent([], config={"devices": {"include": ["loop"]}, "incident": {"quiet_after": "1s"}})
        subjects = []
        for _ in range(2):
            disk = self.disk()
            wait_for(lambda d=disk: [w for w in agent.status()["devices"] if d.backing in w["id"]], "the device")
            disk.lose()
            shown = self.shown(disk)
            disk.read(5, first=300, stride=3)
            found = wait_for(lambda d=disk: [i for i in agent.incidents() if d.backing in i["subject"]["id"]],
                             f"the incident of {disk.name}")
            self.check_exact(agent, found[0]["id"], shown, 5)
            subjects.append(disk.backing)
            disk.detach()
            wait_for(lambda: all(i["state"] == "CLOSED" for i in agent.incidents()), "quiet")
        ours = [i for i in agent.incidents() if any(s in i["subject"]["id"] for s in subjects)]
        self.assertEqual(len(ours), 2)
        self.assertEqual([i["repeat"] for i in ours], [False, False], "another disk's first failure")

    def test_storm(self):
        disk = self.disk()
        agent = self.agent([disk])
        disk.lose()
        shown = self.shown(disk)
        begin = time.monotonic()
        disk.fail_reads(100_000, threads=4)
        took = time.monotonic() - begin
        incident = agent.wait_stored()[0]
        self.check_exact(agent, incident["id"], shown, 100_000)
        incident = agent.incident(incident["id"])
        probe = agent.probe("block_io")
        sent, suppressed = int(probe["records"]), int(incident["events"][0]["errors"][0]["suppressed"])
        self.assertLess(sent, 1000 + 200 * took, "records sent one by one in a storm")
        self.assertEqual(int(probe["drops"]), 0)
        self.assertGreater(suppressed, 90_000)
        self.check_stored_once(agent, incident["id"])
        self.check_rss(agent)
        self.assertEqual(capture_of(incident)["state"], "STORED")


if __name__ == "__main__":
    harness.main()
