# SPDX-License-Identifier: Apache-2.0
"""What one failure does in several layers is one incident; two failures are two."""

import os

import harness
from disks import run
from harness import E2eTest, capture_of, wait_for


class LayersTest(E2eTest):
    def filesystem(self):
        """An ext4 that goes on after errors, with a file and a folder of which nothing is cached, behind
        the part of its disk that stays; returns the disk and where it is mounted."""
        disk = self.disk(64 << 20)
        run("mkfs.ext4", "-q", "-F", disk.path)
        mounted = ["-t", "ext4", "-o", "errors=continue", disk.path]
        mount = self.mount("data", *mounted)
        os.mkdir(os.path.join(mount.path, "folder"))
        for name in ("file", "folder/file"):
            with open(os.path.join(mount.path, name), "wb") as file:
                file.write(b"x" * 65536)
        run("umount", mount.path)
        run("mount", *mounted, mount.path)
        return disk, mount

    def test_a_disk_and_the_filesystem_on_it_are_one_incident(self):
        disk, mount = self.filesystem()
        agent = self.agent([disk], config={"incident": {"quiet_after": "10s"}})
        with open(os.path.join(mount.path, "file"), "rb", buffering=0) as file:
            disk.lose()
            with self.assertRaises(OSError):
                file.read(4096)
        incident_id = agent.wait_stored()[0]["id"]
        # Now the filesystem itself needs what is lost.
        with self.assertRaises(OSError):
            os.stat(os.path.join(mount.path, "folder", "file"))

        def both():
            incident = agent.incident(incident_id)
            return incident if {"io.error", "fs.error"} <= {e["kind"] for e in incident["events"]} else None
        incident = wait_for(both, "io.error and fs.error in one incident")
        self.assertEqual([i["id"] for i in agent.incidents()], [incident_id], "incidents")
        self.assertEqual(incident["events"][0]["kind"], "io.error", "what opened it")
        self.assertEqual((incident["kind"], incident["subject"]["name"]), ("io.error", disk.name))
        cause = incident["first_cause"]
        self.assertEqual((cause["kind"], cause["subject_name"]), ("io.error", disk.name))
        self.assertEqual(cause["event_id"], incident["events"][0]["id"])
        page = agent.ctl("incident", "show", incident_id).stdout
        self.assertRegex(page, r"►\s+0\s+device\s+io\.error")
        self.assertRegex(page, r"\+[0-9.]+ [mµ]?s\s+filesystem\s+fs\.error")

        # It closes as one, and every event says how long it lasted.
        wait_for(lambda: agent.incident(incident_id)["state"] == "CLOSED", "the incident to close")
        incident = agent.incident(incident_id)
        self.assertIn("closed_at", incident)
        self.assertEqual(capture_of(incident)["state"], "STORED")

    def test_two_disks_that_fail_are_two_incidents(self):
        disks = [self.disk(), self.disk()]
        agent = self.agent(disks)
        for disk in disks:
            disk.lose_and_fail()
        incidents = agent.wait_stored(2)
        self.assertEqual([i["first_cause"]["subject_name"] for i in incidents], [disk.name for disk in disks])
        self.assertEqual([len(agent.incident(i["id"])["events"]) for i in incidents], [1, 1])


if __name__ == "__main__":
    harness.main()
