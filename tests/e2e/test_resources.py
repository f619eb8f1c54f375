# SPDX-License-Identifier: Apache-2.0
"""Filesystems that run full: seen, listed, raised once a crossing, and who fills them; a mount that
does not answer costs nobody anything."""

import json
import os
import subprocess

import harness
from disks import run
from harness import E2eTest, capture_of, untar_zst, wait_for

SAMPLED_S = 45  # asked every ten seconds; a hang is found after five more
MIB = 1 << 20


class ResourceTest(E2eTest):
    def resources(self, agent):
        listed = agent.ctl_json("resource", "list").get("resources", [])
        return {(r["name"], r["resource"]): r for r in listed}

    def wait_state(self, agent, key, state, timeout=SAMPLED_S):
        def there():
            found = self.resources(agent).get(key)
            return found if found and found["state"] == state else None
        return wait_for(there, f"{key} to be {state}", timeout, poll=0.5)

    def full_events(self, agent, point):
        events = agent.ctl_json("event", "list").get("events", [])
        return [e for e in events if e["kind"] == "resource.threshold" and e["subject"]["name"] == point]

    def usage_of(self, agent, incident):
        """The lines of space-usage.jsonl."""
        folder = self.stored_folder(agent, incident["id"])
        out = os.path.join(self.folder, "unpacked-" + incident["id"])
        untar_zst(os.path.join(folder, "capture.tar.zst"), out)
        found = [os.path.join(base, name) for base, _, names in os.walk(out) for name in names
                 if name == "space-usage.jsonl"]
        self.assertEqual(len(found), 1, found)
        with open(found[0], encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def stored_folder(self, agent, incident_id):
        for base, folders, _ in os.walk(agent.cluster_dir):
            if incident_id in folders:
                return os.path.join(base, incident_id, agent.node)
        raise AssertionError(f"{incident_id} is not in the store")


class FullTest(ResourceTest):
    def test_a_disk_that_fills_is_one_incident_that_names_who_fills_it(self):
        disk = self.disk(64 * MIB)
        run("mkfs.ext4", "-q", "-m", "0", disk.path)
        mount = self.mount("data", disk.path)
        agent = self.agent([disk], config={"watch": {"filesystems": [mount.path]}})
        self.wait_state(agent, (mount.path, "space"), "RESOURCE_NORMAL")
        os.mkdir(os.path.join(mount.path, "logs"))
        with open(os.path.join(mount.path, "logs", "big"), "wb") as big:
            big.write(b"x" * (20 * MIB))
        gone = os.path.join(mount.path, "gone")
        holder = subprocess.Popen(["sh", "-c", f"exec 9>{gone}; head -c {25 * MIB} /dev/zero >&9; rm {gone}; "
                                               "echo held; read _"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(lambda: holder.poll() is None and holder.communicate())
        holder.stdout.readline()
        mount.fill()
        full = self.wait_state(agent, (mount.path, "space"), "RESOURCE_CRITICAL")
        self.assertEqual((full["type"], full["filesystem_type"], full["unit"]), ("filesystem", "ext4", "bytes"))
        self.assertEqual(full["used_percent"], 100)
        self.assertEqual(full["used"], full["total"])
        incident = agent.wait_stored()[0]
        self.assertEqual((incident["kind"], incident["severity"]), ("resource.threshold", "CRITICAL"))

        usage = self.usage_of(agent, incident)
        deleted = [u for u in usage if u["kind"] == "deleted_open_file"]
        self.assertEqual([(u["path"], u["pid"]) for u in deleted if u["path"] == gone], [(gone, holder.pid)])
        self.assertGreaterEqual(deleted[0]["bytes"], 25 * MIB)
        self.assertIn(os.path.join(mount.path, "logs", "big"),
                      [u["path"] for u in usage if u["kind"] == "file"])
        logs = next(u for u in usage if u["kind"] == "folder" and u["path"].endswith("/logs"))
        self.assertGreaterEqual(logs["bytes"], 20 * MIB)
        self.assertIn(mount.path, agent.ctl("resource", "list").stdout)

        holder.communicate()
        mount.free()
        os.unlink(os.path.join(mount.path, "logs", "big"))
        self.wait_state(agent, (mount.path, "space"), "RESOURCE_NORMAL")
        ended = wait_for(lambda: [e for e in self.full_events(agent, mount.path) if int(e.get("duration_ns", 0))],
                         "the event to end")
        self.assertEqual(len(ended), 1)
        self.assertEqual(len(self.full_events(agent, mount.path)), 1, "one a crossing")

    def test_inodes_run_out_with_limits_of_its_own(self):
        mount = self.mount("memory", "-t", "tmpfs", "-o", "size=8m,nr_inodes=100", "none")
        agent = self.agent([self.disk()], config={"watch": {"filesystems": [mount.path]},
                                                  "resource": {"limits": [mount.path + " 40 60 30"]}})
        self.wait_state(agent, (mount.path, "inodes"), "RESOURCE_NORMAL")
        for number in range(45):
            open(os.path.join(mount.path, str(number)), "w", encoding="ascii").close()
        few = self.wait_state(agent, (mount.path, "inodes"), "RESOURCE_WARNING")
        self.assertEqual((few["unit"], few["raise_percent"], few["clear_percent"]), ("inodes", 40, 30))
        for number in range(45, 70):
            open(os.path.join(mount.path, str(number)), "w", encoding="ascii").close()
        self.wait_state(agent, (mount.path, "inodes"), "RESOURCE_CRITICAL")
        self.assertEqual(self.resources(agent)[(mount.path, "space")]["state"], "RESOURCE_NORMAL")
        event, = self.full_events(agent, mount.path)
        self.assertIn("of its inodes is used", event["summary"])
        run("umount", mount.path)
        wait_for(lambda: not self.resources(agent), "what is unmounted to be forgotten", SAMPLED_S)


class HangTest(ResourceTest):
    def test_a_mount_that_hangs_is_named_and_the_others_go_on(self):
        remote = self.fault_fs("remote")
        mount = self.mount("memory", "-t", "tmpfs", "-o", "size=8m", "none")
        agent = self.agent([self.disk()], config={"watch": {"filesystems": [remote.path, mount.path]}})
        self.wait_state(agent, (remote.path, "space"), "RESOURCE_NORMAL")
        remote.set("hang")
        stuck = self.wait_state(agent, (remote.path, "space"), "RESOURCE_UNREACHABLE")
        self.assertIn("does not answer", stuck["error"])
        named, = [p for p in agent.problems() if "does not answer" in p]
        self.assertTrue(named.startswith(f"filesystem {remote.path} (fuse"), named)
        self.assertIn("unreachable", agent.ctl("resource", "list").stdout)
        mount.fill()
        self.wait_state(agent, (mount.path, "space"), "RESOURCE_CRITICAL")
        self.assertLessEqual(int(agent.status().get("workers_abandoned", 0)), 1)
        self.assertEqual(capture_of(agent.wait_stored()[0])["state"], "STORED")
        remote.set("ok")
        self.wait_state(agent, (remote.path, "space"), "RESOURCE_NORMAL", 120)
        self.assertEqual([p for p in agent.problems() if "does not answer" in p], [])


if __name__ == "__main__":
    harness.main()
