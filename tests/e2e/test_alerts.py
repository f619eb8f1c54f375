# SPDX-License-Identifier: Apache-2.0
"""Who is told of a failure, and by whom: trees of alerts, what a node subscribed to, and who watches."""

import json
import os
import signal
import subprocess
import threading

from cluster import ClusterTest, stored_json
from harness import FFDCCTL, main, wait_for


class TreeTest(ClusterTest):
    def test_heads_send_alerts_on_and_the_nodes_of_a_dead_one_are_adopted(self):
        # Of the four peers b alerts c, and d alerts e.
        nodes = self.cluster("abcde", config={"peer": {"direct_alerts_max": 1}, "incident": {"quiet_after": "1s"}})
        a, b = nodes[:2]
        self.disks["a"].lose_and_fail()
        first = self.one_incident(a)["id"]
        self.wait_all_stored(a, first, "abcde")
        for node, by in (("b", ""), ("c", "b"), ("d", ""), ("e", "d")):
            manifest = stored_json(self, first, node, "manifest.json")
            self.assertEqual(manifest.get("relayed_by", ""), by, node)
            self.assertEqual(manifest["origin_node"], "a")
        wait_for(lambda: a.incident(first)["state"] == "CLOSED", "the end of the first")

        # Without the DB, through which c would hear of it too.
        self.etcd[0].kill()
        os.kill(b.process.pid, signal.SIGSTOP)
        try:
            self.disks["a"].fail()
            second = wait_for(lambda: next((i["id"] for i in a.incidents() if i["kind"] == "io.error" and i["id"] != first),
                                           None), "a second one")
            found = self.wait_all_stored(a, second, "acde")
            self.assertEqual(found["b"]["state"], "UNREACHED")
            self.assertEqual(stored_json(self, second, "c", "manifest.json").get("relayed_by", ""), "")
            self.assertEqual(stored_json(self, second, "e", "manifest.json")["relayed_by"], "d")
        finally:
            os.kill(b.process.pid, signal.SIGCONT)
        self.wait_all_stored(a, second, "abcde", timeout=60)


class ScopeTest(ClusterTest):
    def test_a_node_captures_for_what_it_subscribed_to_and_for_what_it_uses(self):
        self.start_etcd()
        disk = self.disk()
        config = {"incident": {"quiet_after": "1s"}}
        a = self.node("a", [disk], config=config)
        b = self.node("b", config={"alert": {"kinds": ["path.*"]}})
        # What it uses: here it says so, as its own disks are none of a's.
        self.node("c", config={"alert": {"kinds": ["path.*"], "subjects": ["loop:*", "*loop*"]}})
        self.wait_connected("abc")
        wait_for(lambda: self.subjects_of("c"), "c's entry to name its subjects")
        disk.lose_and_fail()
        incident_id = self.one_incident(a)["id"]
        found = self.wait_all_stored(a, incident_id, "ac")
        self.assertNotIn("b", found)
        self.assertEqual(a.incident(incident_id)["completeness"]["expected"], 2)
        # What concerns the cluster as a whole concerns b as well.
        c = self.nodes["c"]
        c.kill()
        failed = self.one_incident(a, "node.failed")["id"]
        wait_for(lambda: {"a", "b"} <= set(self.stored_nodes(failed)), "captures of a and b of the dead node")
        self.assertEqual(b.incident(failed)["kind"], "node.failed")

    def subjects_of(self, node):
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.etcd[0].namespace}", "etcdctl", "--endpoints",
                               self.etcd[0].url, "get", f"/ffdc/v1/default/members/{node}", "--print-value-only"],
                              capture_output=True, env={**os.environ, "ETCDCTL_API": "3"}, check=True)
        return b"loop:*" in done.stdout


class Watch:
    """ffdcctl watch --json, as a person would leave it running."""

    def __init__(self, agent, *args):
        self.process = subprocess.Popen([FFDCCTL, "--socket", agent.socket, "watch", "--json", *args], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.node = agent.node
        self.news = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.news.append(json.loads(line))

    def end(self):
        self.process.kill()
        self.reader.join(10)
        self.process.communicate()

    def wait(self, what, node, kind=None):
        def there():
            return next((n for n in self.news if n["what"] == what and n["node"] == node and
                         kind in (None, n.get("event", n.get("incident", {})).get("kind"))), None)
        return wait_for(there, f"{what} {kind or ''} of {node} among {[n['what'] for n in self.news]}", 30)


class WatchTest(ClusterTest):
    def test_any_node_shows_what_happens_on_all(self):
        a, b, _ = self.cluster(config={"incident": {"quiet_after": "1s"}})
        watch, links = Watch(b), Watch(b, "--kind", "link.*")
        own = Watch(a)
        for watching in (watch, links, own):
            self.addCleanup(watching.end)
        for watching in (watch, links, own):
            self.assertEqual(watching.wait("watch.began", watching.node)["summary"],
                             "news of 2 of 2 other nodes arrive")
        self.disks["a"].lose_and_fail()
        event = watch.wait("event", "a", "io.error")
        self.assertFalse(event["event"]["evidence"])
        incident_id = watch.wait("incident.opened", "a", "io.error")["incident"]["id"]
        self.assertEqual(event["event"]["incident_id"], incident_id)
        captured = watch.wait("incident.captured", "a")
        self.assertEqual(captured["incident"]["completeness"]["stored"], 3)
        watch.wait("incident.closed", "a")
        own.wait("incident.closed", "a")
        # b tells of its own capture of it nothing twice.
        self.assertEqual(len([n for n in watch.news if n["what"] == "incident.opened"]), 1, watch.news)

        self.net.cut(self.nodes["c"].number)
        watch.wait("node.silent", "c")
        self.net.cut(self.nodes["c"].number, up=True)
        watch.wait("node.heard", "c")
        # What it could tell nobody meanwhile; of the disk the other watch heard nothing.
        links.wait("event", "c", "link.down")
        self.assertFalse([n for n in links.news if n.get("event", n.get("incident", {})).get("kind", "link.").startswith("io.")],
                         links.news)
        for agent, args, wrong in ((a, ["--severity", "grave"], "grave"), (a, ["--kind", "x" * 300], "a pattern of kinds")):
            refused = agent.ctl("watch", *args)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(wrong, refused.stderr)


if __name__ == "__main__":
    main()
