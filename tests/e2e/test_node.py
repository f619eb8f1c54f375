# SPDX-License-Identifier: Apache-2.0
"""The node itself: filesystems that fail or fill up, what is asked for by the clock."""

import os

import harness
from disks import Mount, run
from harness import E2eTest, wait_for


class NodeTest(E2eTest):
    def events(self, agent, kind):
        return [event for event in agent.ctl_json("event", "list").get("events", []) if event["kind"] == kind]

    def wait_event(self, agent, kind, **wanted):
        def there():
            return next((event for event in self.events(agent, kind)
                         if all(event.get(key) == value for key, value in wanted.items())), None)
        return wait_for(there, f"{kind} {wanted or ''}", poll=0.2)

    def facts(self, event):
        return {fact["name"]: fact["value"] for fact in event.get("facts", [])}

    def ext4(self, size=64 << 20):
        """A disk with an ext4 filesystem, mounted."""
        disk = self.disk(size)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.path)
        mount = Mount(os.path.join(self.folder, "data"), "-o", "errors=remount-ro", disk.path)
        self.addCleanup(mount.close)
        return disk, mount

    def test_a_filesystem_that_fills_up_is_told_once_a_crossing(self):
        disk, mount = self.ext4()
        agent = self.agent([disk], config={"watch": {"filesystems": [mount.path]}})
        mount.fill()
        event = self.wait_event(agent, "resource.threshold", severity="CRITICAL")
        self.assertEqual(event["domain"], "RESOURCE")
        self.assertEqual(event["subject"]["type"], "filesystem")
        self.assertEqual(event["subject"]["name"], mount.path)
        self.assertEqual(self.facts(event)["used_percent"], "100")
        self.assertEqual(self.facts(event)["resource"], "space")
        self.assertIn("mount:" + mount.path, event["related_ids"])
        mount.free()
        wait_for(lambda: self.events(agent, "resource.threshold")[0].get("duration_ns"), "the event to end")
        self.assertEqual(len(self.events(agent, "resource.threshold")), 1)
        self.assertEqual(self.events(agent, "fs.error"), [])

    def test_a_filesystem_whose_disk_fails_says_so(self):
        disk, mount = self.ext4()
        agent = self.agent([disk])
        disk.lose()
        # Nothing of it is cached any more: what is looked up must be read, and is gone.
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
            drop.write("3")
        for name in ("a", "b"):
            try:
                os.listdir(os.path.join(mount.path, "lost+found"))
                with open(os.path.join(mount.path, name), "wb") as file:
                    file.write(b"x" * 4096)
                    os.fsync(file.fileno())
            except OSError:
                pass
        event = self.wait_event(agent, "fs.error")
        self.assertEqual(event["severity"], "CRITICAL")
        self.assertEqual(event["subject"]["name"], mount.path)
        self.assertIn("loop:" + disk.backing, event["related_ids"])
        self.assertEqual(self.facts(event)["fs_type"], "ext4")
        self.assertEqual(self.facts(event)["device"], disk.name)

    def test_the_calendar_asks_for_captures(self):
        agent = self.agent([self.disk()], config={"periodic": {"calendar": "*-*-* *:*:0/4"},
                                                "incident": {"quiet_after": "1s"}})
        event = self.wait_event(agent, "periodic")
        self.assertEqual((event["domain"], event["severity"]), ("REQUESTED", "INFO"))
        wait_for(lambda: len(self.events(agent, "periodic")) >= 2, "the next time")
        oldest = agent.incidents()[0]
        wait_for(lambda: agent.incident(oldest["id"])["state"] == "CLOSED", "the incident to close")

    def test_a_calendar_that_cannot_be_read_is_a_problem(self):
        agent = self.agent([self.disk()], config={"periodic": {"calendar": "every other Tuesday"}})
        problem = wait_for(lambda: [p for p in agent.problems() if "periodic.calendar" in p], "the problem")[0]
        self.assertIn("Failed to parse", problem)


if __name__ == "__main__":
    harness.main()
