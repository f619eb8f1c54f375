# SPDX-License-Identifier: Apache-2.0
"""A node that lost the store gives its captures to a peer that has it: each arrives once, whole, under
the name of its own node, whatever becomes of the peers meanwhile."""

import glob
import os

from cluster import ClusterTest, stored_json
from harness import ARCHIVE, main, names_in, seal_big_capture, sha256, wait_for

MIB = 1 << 20
BIG = 48 * MIB  # about a hundred parts
PATIENCE = 150
LOST_S = 90  # a worker without progress for 30 s, and one that looks at the store for 10


class HandoffTest(ClusterTest):
    def setUp(self):
        super().setUp()
        # One store, which node a reaches in another way than the others, a way that can be cut.
        self.mount = self.fault_fs()
        self.store = os.path.join(self.folder, "below")

    def cluster_of(self, names, start_a=True, config=None):
        """Node a has a disk, and its store through the mount."""
        self.start_etcd()
        self.disk_a = self.disk()
        for name in names:
            options = {"config": config} if config else {}
            agent = self.node(name, [self.disk_a] if name == "a" else [], start=False, **options)
            if name == "a":
                agent.sections["store"] = {"url": "dir:" + self.mount.path}
            if name != "a" or start_a:
                agent.start()
        if start_a:
            self.wait_connected(names)
            self.wait_store(self.nodes["a"])
        return [self.nodes[name] for name in names]

    def wait_store(self, agent, lost=False):
        wait_for(lambda: agent.status()["store"]["lost" if lost else "reachable"],
                 f"node {agent.node} to " + ("lose" if lost else "reach") + " the store", LOST_S, poll=0.5)

    def check_handed(self, incident_id, by):
        """In the store under a's name, whole, and in nobody's spool."""
        a = self.nodes["a"]
        capture = wait_for(lambda: self.stored_capture(a, incident_id), "a's capture to be stored", PATIENCE, poll=0.5)
        self.assertEqual(capture.get("stored_by", ""), by)
        self.check_whole(incident_id)
        for agent in self.nodes.values():
            self.assertEqual(names_in(os.path.join(agent.spool, "handed")), [])
        self.assertNotIn(incident_id, a.sealed())

    def stored_capture(self, agent, incident_id):
        capture = self.captures(agent, incident_id).get(agent.node, {})
        return capture if capture.get("state") == "STORED" else None

    def check_whole(self, incident_id):
        folders = glob.glob(os.path.join(self.store, "v1/default/incidents/*", incident_id, "a"))
        self.assertEqual(len(folders), 1, folders)
        manifest = stored_json(self, incident_id, "a", "manifest.json")
        self.assertEqual((manifest["node"], manifest["incident_id"]), ("a", incident_id))
        archive = os.path.join(folders[0], ARCHIVE)
        self.assertEqual(os.path.getsize(archive), int(manifest["archive_bytes"]))
        self.assertEqual(sha256(archive), manifest["archive_sha256"])

    def part_of(self, agent, incident_id):
        """How much of a's archive lies in this peer's spool."""
        path = os.path.join(agent.spool, "handed", incident_id + ".a", ARCHIVE)
        return os.path.getsize(path) if os.path.exists(path) else 0

    def test_store_lost_on_one_node(self):
        a, b = self.cluster_of("ab")
        self.mount.set("eio")
        self.wait_store(a, lost=True)
        self.disk_a.lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.check_handed(incident_id, "b")
        self.assertIn(f"incident {incident_id} stored in dir:{self.mount.path} by node b", a.log())
        self.assertIn(f"incident {incident_id}: the capture of node a is stored for it", b.log())
        shown = a.ctl("incident", "show", incident_id).stdout
        self.assertIn("by node b", shown)
        # The one of the store itself, which tells of the loss, arrives as well.
        lost_id = a.store_incidents()[0]["id"]
        self.check_handed(lost_id, "b")
        self.assertIn("2 captures stored by peers", " ".join(a.ctl("status").stdout.split()))
        self.assertIn("2 captures stored for peers", " ".join(b.ctl("status").stdout.split()))
        # Nothing is sent twice once the store is back.
        self.mount.set("ok")
        wait_for(lambda: not a.status()["store"]["lost"], "the store to be back", PATIENCE, poll=0.5)
        for each in (incident_id, lost_id):
            self.check_whole(each)
            self.assertEqual(b.ctl("incident", "verify", each).returncode, 0)

    def test_store_hangs(self):
        a, _ = self.cluster_of("ab")
        self.mount.set("hang")
        self.disk_a.lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.check_handed(incident_id, "b")

    def test_goes_on_after_the_peer_was_killed_half_way(self):
        a, b = self.cluster_of("ab", start_a=False)
        self.mount.set("eio")
        incident_id = seal_big_capture(a, BIG)
        a.start()
        half = wait_for(lambda: BIG // 4 < self.part_of(b, incident_id) < 3 * BIG // 4 and
                        self.part_of(b, incident_id), "half of the capture at b", PATIENCE, poll=0.01)
        b.kill()
        self.assertLess(self.part_of(b, incident_id), BIG)
        b.start()
        self.check_handed(incident_id, "b")
        begun = [line for line in a.log().splitlines() if f"{incident_id}: its capture goes to node b" in line]
        self.assertGreaterEqual(len(begun), 2, a.log())
        resumed = int(begun[-1].partition("from byte ")[2].split()[0])
        self.assertGreaterEqual(resumed, half, begun)

    def test_the_sender_is_killed_half_way(self):
        a, b = self.cluster_of("ab", start_a=False)
        self.mount.set("eio")
        incident_id = seal_big_capture(a, BIG)
        a.start()
        wait_for(lambda: self.part_of(b, incident_id) > BIG // 4, "a part of the capture at b", PATIENCE, poll=0.01)
        a.kill()
        a.start()
        self.check_handed(incident_id, "b")

    def test_nobody_has_the_store(self):
        a, b = self.cluster_of("ab", start_a=False)
        b.stop()
        b.sections["store"] = {"url": "dir:" + self.mount.path}
        self.mount.set("eio")
        b.start()
        incident_id = seal_big_capture(a, MIB)
        a.start()
        self.wait_connected("ab")
        self.wait_store(a, lost=True)
        self.wait_store(b, lost=True)
        self.assertIn(incident_id, a.sealed())
        self.assertEqual(names_in(os.path.join(b.spool, "handed")), [])
        self.mount.set("ok")
        self.check_handed(incident_id, "")

    def test_more_than_a_peer_takes(self):
        config = {"peer": {"handoff_max_bytes": "1MiB"}}
        a, b = self.cluster_of("ab", start_a=False, config=config)
        self.mount.set("eio")
        incident_id = seal_big_capture(a, 2 * MIB)
        a.start()
        wait_for(lambda: "peer.handoff_max_bytes" in a.log(), "b's refusal", PATIENCE)
        self.assertIn(incident_id, a.sealed())
        self.assertEqual(names_in(os.path.join(b.spool, "handed")), [])
        self.mount.set("ok")
        self.check_handed(incident_id, "")


if __name__ == "__main__":
    main()
