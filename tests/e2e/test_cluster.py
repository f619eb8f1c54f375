# SPDX-License-Identifier: Apache-2.0
"""Several nodes: a failure on one is captured by all of them, whatever else has failed."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time

from cluster import (FAKETIME, PORT, Ca, ClusterTest, address, alive, inside, nodes_of, stored_json)
from harness import BIN, main, uuid7, wait_for

PEER_CALL = os.path.join(BIN, "peer_call")


class CaptureTest(ClusterTest):
    def test_failure_on_one_is_captured_by_all(self):
        a, b, c = self.cluster()
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a)["id"]
        found = self.wait_all_stored(a, incident_id, "abc")
        self.assertEqual(self.stored_nodes(incident_id), ["a", "b", "c"])
        # Every node tells the same of it.
        for agent in (a, b, c):
            wait_for(lambda: self.captures(agent, incident_id).keys() == found.keys(), "all captures")
            incident = agent.incident(incident_id)
            self.assertEqual((incident["origin_node"], incident["kind"]), ("a", "io.error"))
            completeness = incident["completeness"]
            self.assertEqual((completeness["expected"], completeness["stored"]), (3, 3), completeness)
            self.assertEqual(len(agent.incidents()), 1)
        for node in "bc":
            manifest = stored_json(self, incident_id, node, "manifest.json")
            self.assertEqual((manifest["node"], manifest["origin_node"]), (node, "a"))
            # One machine, one clock.
            offset = manifest["clock_offset"]
            self.assertLessEqual(abs(int(offset["offset_ns"])), int(offset["uncertainty_ns"]) + 1_000_000, offset)
            self.assertTrue(-5_000_000 < int(manifest["trigger_delay_ns"]) < 5_000_000_000, manifest["trigger_delay_ns"])
            self.assertGreater(int(found[node]["bytes"]), 0)
        self.assertEqual(a.ctl("incident", "verify", incident_id).returncode, 0)
        # One archive of all nodes, from a node where it did not fail.
        pulled = os.path.join(self.folder, "pulled.tar")
        done = c.ctl("incident", "pull", incident_id, "--output", pulled)
        self.assertEqual(done.returncode, 0, done.stderr)
        with tarfile.open(pulled) as tar:
            names = tar.getnames()
            for node in "abc":
                self.assertIn(f"{incident_id}/{node}/capture.tar.zst", names)
            lines = [json.loads(line) for line in tar.extractfile(f"{incident_id}/timeline.jsonl")]
            text = tar.extractfile(f"{incident_id}/timeline.txt").read().decode()
        self.assertEqual([int(line["time_wall_ns"]) for line in lines],
                         sorted(int(line["time_wall_ns"]) for line in lines))
        self.assertEqual({line["node"] for line in lines if line["text"] == "history frozen"}, set("abc"))
        self.assertTrue([line for line in lines if line["source"] == "kernel_log"], text[:2000])
        self.assertIn("io.error: ", text)
        self.assertIn("# Times are of the wall clock of a", text)
        # The description in the store is the origin's, and the last one.
        wait_for(lambda: stored_json(self, incident_id, "incident.json")["completeness"].get("stored") == 3,
                 "incident.json in the store to know of three captures")

    def test_five_incidents_at_once(self):
        nodes = self.cluster("abcde", with_disk="abcde")
        for disk in self.disks.values():
            disk.lose()
        for disk in self.disks.values():
            disk.fail()
        wait_for(lambda: len(nodes[0].incidents()) == 5, "five incidents")
        ids = {i["origin_node"]: i["id"] for i in nodes[0].incidents()}
        self.assertEqual(sorted(ids), list("abcde"))
        for origin, incident_id in ids.items():
            self.wait_all_stored(self.nodes[origin], incident_id, "abcde", timeout=90)
            self.assertEqual(self.stored_nodes(incident_id), list("abcde"))
        for agent in nodes:
            self.assertEqual(sorted(i["id"] for i in agent.incidents()), sorted(ids.values()))

    def test_deleted_everywhere_also_where_a_node_was_away(self):
        a, b, c = self.cluster(config={"incident": {"quiet_after": "2s"}})
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a)["id"]
        self.wait_all_stored(a, incident_id, "abc")
        for agent in (a, b, c):
            wait_for(lambda: agent.incident(incident_id)["state"] == "CLOSED", f"the end on node {agent.node}")
        self.assertEqual(c.stop(), 0)
        done = b.ctl("incident", "delete", incident_id, "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.stored_nodes(incident_id), [])
        wait_for(lambda: not a.incidents(), "the incident to be gone from a")
        c.start()
        wait_for(lambda: not c.incidents(), "the incident to be gone from c")
        self.assertEqual(self.stored_nodes(incident_id), [])

    def test_pinned_everywhere_also_where_a_node_was_away(self):
        a, b, c = self.cluster(config={"incident": {"quiet_after": "2s"}})
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a)["id"]
        self.wait_all_stored(a, incident_id, "abc")

        def pinned(agent):
            return agent.incident(incident_id).get("pinned", False)
        self.assertEqual(b.ctl("incident", "pin", incident_id[:18]).returncode, 0)
        for agent in (a, b, c):
            wait_for(lambda: pinned(agent), f"node {agent.node} to hear that it is pinned")
        wait_for(lambda: agent.incident(incident_id)["state"] == "CLOSED", "the end of the incident")
        refused = a.ctl("incident", "delete", incident_id, "--yes")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is pinned", refused.stderr)
        self.assertTrue(stored_json(self, incident_id, "incident.json")["pinned"])
        self.assertEqual(a.stop(), 0)
        self.assertEqual(c.ctl("incident", "unpin", incident_id).returncode, 0)
        wait_for(lambda: not pinned(b), "b to hear that it is not pinned any more")
        self.assertFalse(pinned(c))
        a.start()
        wait_for(lambda: not pinned(a), "a to hear of it when it is back")
        # A node's own copy, by which its retention goes, says it too.
        self.assertEqual(b.ctl("incident", "pin", incident_id).returncode, 0)
        wait_for(lambda: pinned(c), "c to hear that it is pinned again")
        time.sleep(2)  # its index is written behind
        self.assertEqual([agent.stop() for agent in (a, b, c)], [0, 0, 0])
        self.etcd[0].kill()
        c.start()
        self.assertTrue(pinned(c))

    def test_dump_of_all_and_of_some_nodes(self):
        a, _, _ = self.cluster(with_disk="")
        for args, nodes in ((["--all"], "abc"), (["--nodes", "c"], "ac"), ([], "a")):
            dump = a.ctl_json("dump", "--reason", "a look", *args)
            self.wait_all_stored(a, dump["id"], nodes)
            self.assertEqual(self.stored_nodes(dump["id"]), list(nodes))
        unknown = a.ctl("dump", "--nodes", "zebra")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("zebra", unknown.stderr)

    def test_clocks_apart(self):
        """Node b's wall clock is 3 s ahead: found, written down, and taken out of what is measured."""
        self.assertTrue(os.path.exists(FAKETIME), f"{FAKETIME} (package libfaketime) is missing")
        self.start_etcd()
        disk = self.disk()
        a = self.node("a", [disk])
        self.node("b", env={"LD_PRELOAD": FAKETIME, "FAKETIME": "+3s", "DONT_FAKE_MONOTONIC": "1"})
        self.wait_connected("ab")
        wait_for(lambda: int(nodes_of(a)["b"]["clock_uncertainty_ns"]) > 0, "b's clock to be known")
        shown = nodes_of(a)["b"]
        self.assertAlmostEqual(int(shown["clock_offset_ns"]) / 1e9, 3, delta=0.5)
        disk.lose_and_fail()
        incident_id = self.one_incident(a)["id"]
        self.wait_all_stored(a, incident_id, "ab")
        manifest = stored_json(self, incident_id, "b", "manifest.json")
        self.assertAlmostEqual(int(manifest["clock_offset"]["offset_ns"]) / 1e9, 3, delta=0.5)
        self.assertTrue(-5_000_000 < int(manifest["trigger_delay_ns"]) < 2_000_000_000, manifest["trigger_delay_ns"])
        # The moment of the failure, on b's own clock: the same on this one machine.
        there = stored_json(self, incident_id, "a", "manifest.json")
        apart_ns = int(manifest["failure_mono_ns"]) - int(there["failure_mono_ns"])
        self.assertLess(abs(apart_ns), 200_000_000)


class AbsentNodeTest(ClusterTest):
    def test_dead_node_is_named_and_captures_when_it_returns(self):
        a, b, c = self.cluster()
        b.kill()
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        found = self.wait_all_stored(a, incident_id, "ac")
        self.assertEqual(found["b"]["state"], "UNREACHED")
        self.assertTrue(found["b"]["error"])
        for agent in (a, c):
            completeness = agent.incident(incident_id)["completeness"]
            self.assertFalse(completeness["complete"])
            self.assertTrue([m for m in completeness["missing"] if m.startswith("b: ")], completeness)
        b.start(env=b.env)
        self.wait_all_stored(a, incident_id, "abc", timeout=60)
        self.assertEqual(self.stored_nodes(incident_id), ["a", "b", "c"])

    def test_killed_node_is_one_incident(self):
        nodes = self.cluster(with_disk="")
        victim = nodes[1]
        victim.kill()
        others = [n for n in nodes if n is not victim]
        incident = self.one_incident(others[0], "node.failed")
        self.assertEqual(incident["subject"]["id"], "node:b")
        self.assertEqual(incident["domain"], "LIFE_CYCLE")
        wait_for(lambda: all(c["state"] == "STORED" for n, c in self.captures(others[0], incident["id"]).items() if n != "b"),
                 "captures of the others")
        for agent in others:
            self.assertEqual([i["kind"] for i in agent.incidents()], ["node.failed"])
            self.assertEqual(nodes_of(agent)["b"]["state"], "NODE_FAILED")
        victim.start()
        wait_for(lambda: alive(others[0]) == ["a", "b", "c"], "b to be back")
        self.wait_all_stored(others[0], incident["id"], "abc", timeout=60)

    def test_stopped_in_order_is_no_failure(self):
        a, b, _ = self.cluster(with_disk="")
        self.assertEqual(b.stop(), 0)
        wait_for(lambda: nodes_of(a)["b"]["state"] == "STOPPED", "a to hear that b stopped")
        time.sleep(6)  # longer than a lease
        self.assertEqual(a.incidents(), [])
        busy = a.ctl("node", "remove", "c")
        self.assertEqual(busy.returncode, 1)
        self.assertIn("stop its agent first", busy.stderr)
        self.assertEqual(a.ctl("node", "remove", "b").returncode, 0)
        wait_for(lambda: sorted(nodes_of(self.nodes["c"])) == ["a", "c"], "c to forget b")

    def test_hanging_node_holds_nobody_up(self):
        a, b, c = self.cluster()
        os.kill(b.process.pid, signal.SIGSTOP)
        try:
            self.disks["a"].lose_and_fail()
            incident_id = self.one_incident(a, "io.error")["id"]
            found = self.wait_all_stored(a, incident_id, "ac")
            self.assertEqual(found["b"]["state"], "UNREACHED")
            for agent in (a, c):
                begun = time.monotonic()
                listed = agent.ctl_json("incident", "list")
                self.assertLess(time.monotonic() - begun, 5)
                self.assertTrue([n for n in listed["unanswered"] if n.startswith("b: ")], listed["unanswered"])
            # It is tried with one alert at a time, however many it misses.
            sent = int(a.status()["cluster_status"]["alerts_sent"])
            dumps = [a.ctl_json("dump", "--all", "--reason", f"look {i}")["id"] for i in range(10)]
            # Each to c; to b one after the other, for half a second each.
            self.assertLessEqual(int(a.status()["cluster_status"]["alerts_sent"]) - sent, len(dumps) + 6)
            for dump in dumps:
                wait_for(lambda: self.captures(a, dump).get("b", {}).get("state") == "UNREACHED",
                         "a to tell that b was not alerted")
        finally:
            os.kill(b.process.pid, signal.SIGCONT)
        for missed in [incident_id, *dumps]:
            self.wait_all_stored(a, missed, "abc", timeout=60)


class DbTest(ClusterTest):
    def test_without_the_db_alerts_still_arrive(self):
        a, b, c = self.cluster()
        self.etcd[0].kill()
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.wait_all_stored(a, incident_id, "abc")
        lost = self.one_incident(a, "db.lost")
        self.assertEqual(lost["domain"], "X3")
        self.assertIn("no cluster DB", lost["summary"])
        # A node that starts meanwhile knows the others from its own copy.
        self.assertEqual(b.stop(), 0)
        b.start()
        wait_for(lambda: alive(b) == ["a", "b", "c"], "b to find the others by its copy")
        self.assertIn("cannot be reached", b.ctl_json("node", "list")["note"])
        self.etcd[0].start()
        for agent in (a, b, c):
            wait_for(lambda: agent.status()["cluster_status"]["db_reachable"], "the DB to be back", timeout=40)
        wait_for(lambda: "db.restored" in [e["kind"] for i in a.incidents() for e in i["events"]],
                 "db.restored among the events")

    def test_all_lose_the_db_at_once(self):
        """Each node notices by itself, before or after it hears of the others: one failure, one incident."""
        nodes = self.cluster(with_disk="")
        self.etcd[0].kill()

        def one():
            found = [i for i in nodes[0].incidents() if i["kind"] == "db.lost"]
            told = {e["node"] for i in found for e in i["events"]}
            return found[0] if len(found) == 1 and told == set("abc") else None
        incident = wait_for(one, "one incident with the events of all nodes", timeout=60)
        for agent in nodes:
            wait_for(lambda: [i["id"] for i in agent.incidents() if i["kind"] == "db.lost"] == [incident["id"]],
                     f"node {agent.node} to know of one")
        self.wait_all_stored(nodes[0], incident["id"], "abc")
        self.assertEqual(self.stored_nodes(incident["id"]), ["a", "b", "c"])

    def test_leader_killed(self):
        self.start_etcd(3)
        a, _, c = self.cluster()
        self.etcd[0].kill()  # the leader or not: two are left
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.wait_all_stored(c, incident_id, "abc")
        for agent in self.agents:
            wait_for(lambda: agent.status()["cluster_status"]["db_reachable"], "the DB", timeout=40)
        self.assertNotIn("node.failed", [i["kind"] for i in a.incidents()])

    def test_db_over_tls(self):
        self.start_etcd(1, tls=True)
        a, b = self.cluster("ab", with_disk="")
        self.assertTrue(a.status()["cluster_status"]["db_reachable"])
        self.assertEqual(sorted(nodes_of(b)), ["a", "b"])

    def test_cut_off_from_peers_but_not_from_the_db(self):
        """Nothing of a's peers' port reaches b: what a could not tell it, the DB does."""
        a, b = self.cluster("ab")
        for port in ("--dport", "--sport"):  # also the connection that b itself may have opened
            subprocess.run([*inside(b.namespace), "iptables", "-I", "INPUT", "-p", "tcp", port, str(PORT), "-j", "DROP"],
                           check=True, capture_output=True)
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        wait_for(lambda: self.stored_nodes(incident_id) == ["a", "b"], "both captures")
        manifest = stored_json(self, incident_id, "b", "manifest.json")
        self.assertEqual(manifest["relayed_by"], "cluster DB")
        # b says the same of a: what it sends arrives, but not the answers.
        unreachable = wait_for(lambda: [i for i in a.incidents() if i["subject"]["id"] == "node:b"], "b to be missed")
        self.assertEqual([(i["kind"], i["domain"]) for i in unreachable], [("peer.unreachable", "X3")])


    def test_partition_and_heal(self):
        """b's link is cut: the others call it failed, b itself knows that it was the link; then all is well."""
        a, b, c = self.cluster(with_disk="b")
        self.net.cut(b.number)
        failed = self.one_incident(a, "node.failed")
        self.assertEqual(failed["subject"]["id"], "node:b")
        self.disks["b"].lose_and_fail()
        alone = self.one_incident(b, "io.error")
        wait_for(lambda: self.captures(b, alone["id"])["b"]["state"] == "STORED", "b's own capture", 90)
        self.one_incident(b, "link.down")
        self.assertEqual(sorted(i["kind"] for i in b.incidents()), ["io.error", "link.down"])
        self.net.cut(b.number, up=True)
        self.wait_connected("abc")
        # What failed while it was cut off reaches the others, and their failure it.
        self.wait_all_stored(c, alone["id"], "abc", timeout=60)
        self.wait_all_stored(c, failed["id"], "abc", timeout=60)


class TrustTest(ClusterTest):
    def call(self, agent, identity, *command, ca=None):
        cert, key = identity
        done = subprocess.run([*inside(self.net.hub_host), PEER_CALL, f"{address(agent.number)}:{PORT}", agent.node,
                               ca or self.ca.cert, cert, key, *command], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout.split("\n")[:-1]

    def setUp(self):
        super().setUp()
        self.net.hub_host = self.net.join("caller", 200)

    def served(self, agent):
        """SHA-256 of the certificate that a node shows to whoever connects now."""
        pem = subprocess.run([*inside(self.net.hub_host), "openssl", "s_client", "-connect",
                              f"{address(agent.number)}:{PORT}"], input="", capture_output=True, text=True, timeout=60)
        der = subprocess.run(["openssl", "x509", "-outform", "DER"], input=pem.stdout.encode(), capture_output=True,
                             check=False).stdout
        return hashlib.sha256(der).hexdigest()

    def test_a_new_certificate_is_used_without_a_restart(self):
        a, b = self.cluster("ab")
        old = nodes_of(a)["b"]["certificate_sha256"]
        self.assertEqual(self.served(b), old)
        cert, _ = self.ca.issue("b")
        wait_for(lambda: nodes_of(a)["b"]["certificate_sha256"] != old, "b's new certificate to be known", 60)
        self.assertEqual(self.served(b), nodes_of(a)["b"]["certificate_sha256"])
        self.assertIn("has a new certificate", b.log())
        self.wait_connected("ab")
        self.disks["a"].lose_and_fail()
        self.wait_all_stored(a, self.one_incident(a, "io.error")["id"], "ab")
        # One that makes no sense changes nothing, and is told of.
        with open(cert, "w", encoding="ascii") as file:
            file.write("nonsense")
        said = wait_for(lambda: [p for p in b.problems() if "goes on with the certificate that it has" in p],
                        "b to tell of it", 60)
        self.assertIn(cert, said[0])
        self.assertEqual(self.call(b, self.ca.issue("a"), "ping", "default"), (0, ["ok"]))

    def test_certificates(self):
        a, _ = self.cluster("ab", with_disk="")
        self.assertEqual(self.call(a, self.ca.issue("b"), "ping", "default"), (0, ["ok"]))
        before = a.status()["cluster_status"]["peers_refused"]
        stranger = self.call(a, self.ca.issue("zebra"), "ping", "default")
        self.assertEqual(stranger[0], 1)
        self.assertIn("no member", stranger[1][0])
        self.assertEqual(self.call(a, self.ca.issue("b"), "ping", "other")[0], 1)
        foreign = Ca(os.path.join(self.folder, "foreign"))
        self.assertEqual(self.call(a, foreign.issue("b"), "ping", "default")[0], 1)
        self.assertEqual(self.call(a, self.ca.issue("b", at="2020-01-01"), "ping", "default")[0], 1)
        nobody = self.call(a, ("", ""), "ping", "default")  # no certificate at all
        self.assertEqual(nobody[0], 1)
        self.assertIn("shows no certificate", nobody[1][0])
        wait_for(lambda: int(a.status()["cluster_status"]["peers_refused"]) >= int(before) + 5, "five refusals counted")
        self.assertIn("no member of the cluster", a.log())
        self.assertIn("a TLS connection is refused", a.log())

    def test_wrong_certificate_of_the_agent_itself(self):
        self.start_etcd()
        agent = self.node("a", start=False, identity=self.ca.issue("b"))
        agent.start(ready=False)
        self.assertEqual(agent.wait_end(), 1)
        self.assertIn("not for this node 'a'", agent.log())

    def test_alerts_twice_and_in_any_order(self):
        a, _ = self.cluster("ab", with_disk="")
        identity = self.ca.issue("b")
        ids = sorted(uuid7() for _ in range(3))
        for incident_id in reversed(ids):
            self.assertEqual(self.call(a, identity, "alert", "default", incident_id, "b", "wwid:" + incident_id, "3"),
                             (0, ["ok", "duplicate", "duplicate"]))
        for incident_id in ids:
            wait_for(lambda: self.stored_nodes(incident_id) == ["a"], "the capture in the store")
        self.assertEqual(sorted(i["id"] for i in a.incidents()), ids)
        self.assertEqual(int(a.status()["cluster_status"]["alerts_duplicate"]), 6)
        # Nobody may speak for another node, nor make up an id.
        self.assertEqual(self.call(a, identity, "alert", "default", uuid7(), "c", "wwid:x", "1")[0], 1)
        self.assertEqual(self.call(a, identity, "alert", "default", "../../etc", "b", "wwid:x", "1")[0], 1)

    def test_garbage(self):
        a, _ = self.cluster("ab", with_disk="")
        identity = self.ca.issue("b")
        code, lines = self.call(a, identity, "big", str(8 << 20))
        self.assertEqual(code, 1)
        self.assertIn("larger than max", lines[0])
        program = (
            "import os, socket, sys\n"
            "for i in range(200):\n"
            "    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as raw:\n"
            "        try:\n"
            "            raw.sendall(os.urandom(1 + i * 37))\n"
            "            raw.shutdown(socket.SHUT_WR)\n"
            "            while raw.recv(4096): pass\n"
            "        except OSError: pass\n")
        subprocess.run([*inside(self.net.hub_host), sys.executable, "-c", program, address(a.number), str(PORT)],
                       check=True, timeout=120)
        self.assertEqual(self.call(a, identity, "ping", "default"), (0, ["ok"]))
        self.assertTrue(a.alive())


class ConfigTest(ClusterTest):
    def test_half_a_cluster_is_refused(self):
        self.start_etcd()
        agent = self.node("a", start=False, config={"tls": {"ca": ""}, "peer": {"listen": "0.0.0.0:7420"}})
        agent.start(ready=False)
        self.assertEqual(agent.wait_end(), 1)
        self.assertIn("set tls.ca", agent.log())
        self.assertIn("set peer.advertise", agent.log())


if __name__ == "__main__":
    main()
