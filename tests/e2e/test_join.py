# SPDX-License-Identifier: Apache-2.0
"""A cluster made from nothing: init, tokens, nodes that join and leave, and whoever may not."""

import json
import os
import subprocess
import time

from cluster import PORT, ClusterTest, address, alive, inside, run
from harness import BIN, FFDCCTL, FFDCD, main, names_in, wait_for

PEER_CALL = os.path.join(BIN, "peer_call")


class JoinTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.start_etcd()

    def bare(self, name, disks=(), called=None):
        """A node that knows nothing of a cluster; its agent does not run yet."""
        agent = self.node(name, disks, start=False)
        agent.sections = {} if disks else {"devices": {"include": ["none"]}}
        agent.node = called or name
        agent.config = agent.write_config()
        return agent

    def cluster_ctl(self, agent, *args, text=None):
        return subprocess.run([*inside(agent.namespace), FFDCCTL, "--socket", agent.socket, "cluster", *args],
                              capture_output=True, text=True, input=text or "", timeout=60)

    def init(self, agent):
        done = self.cluster_ctl(agent, "init", "--db", self.db_url(), "--listen", f"{address(agent.number)}:{PORT}",
                                "--config", agent.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def token(self, agent, *args):
        return agent.ctl_json("cluster", "token", *args)

    def join_command(self, agent, token, at):
        return ["join", f"{address(at.number)}:{PORT}", token, "--listen", f"{address(agent.number)}:{PORT}",
                "--config", agent.config]

    def join(self, agent, token, at, text=None):
        return self.cluster_ctl(agent, *self.join_command(agent, token, at), text=text)

    def joined(self, agent, at):
        done = self.join(agent, self.token(at)["token"], at)
        self.assertEqual(done.returncode, 0, done.stderr)
        return agent.start()

    def refused(self, agent, token, at, words):
        done = self.join(agent, token, at)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertEqual(self.files(agent), [], "nothing is left behind")

    def files(self, agent):
        return names_in(os.path.join(agent.folder, "tls")) + names_in(os.path.join(agent.folder, "ffdc.d"))

    def first(self, name="a", disks=()):
        agent = self.bare(name, disks)
        self.init(agent)
        return agent.start()

    def refusals(self, agent):
        return int(agent.ctl_json("cluster", "status")["status"]["joins_refused"])

    def test_from_nothing_to_a_capture_on_both(self):
        disk = self.disk()
        a = self.bare("a", [disk])
        said = self.init(a)
        self.assertIn("systemctl restart ffdcd", said)
        drop_in = os.path.join(a.folder, "ffdc.d", "cluster.toml")
        self.assertEqual(run(FFDCD, "--check-config", "--config", a.config), f"{a.config}, {drop_in}: OK\n")
        for name in ("ca.pem", "ca-key.pem", "cert.pem", "key.pem"):
            self.assertEqual(os.stat(os.path.join(a.folder, "tls", name)).st_mode & 0o777, 0o600, name)
        a.start()
        self.assertEqual(a.ctl_json("config", "show")["drop_ins"], [drop_in])
        shown = a.ctl("cluster", "token")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        # As an administrator would: the printed line, with this node's own address put in.
        line = next(line.split() for line in shown.stdout.splitlines() if "cluster join" in line)
        self.assertEqual(line[:4] + line[5:], ["ffdcctl", "cluster", "join", f"{address(1)}:{PORT}", "--listen",
                                               "ADDRESS:PORT"])
        token = line[4]
        b = self.bare("b")
        done = self.join(b, "-", a, text=token + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("node b may join cluster default", done.stdout)
        b.start()
        self.wait_connected("ab")
        self.assertEqual(b.stop(), 0)
        b.start()
        self.wait_connected("ab")
        disk.lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.wait_all_stored(a, incident_id, "ab")
        self.assertEqual(self.stored_nodes(incident_id), ["a", "b"])
        # What the DB has of the token lets nobody join.
        content = run(*inside(self.etcd[0].namespace), "etcdctl", "--endpoints", self.etcd[0].url, "get", "--prefix",
                      "/ffdc/", env={**os.environ, "ETCDCTL_API": "3"}, errors="replace")
        self.assertIn("/tokens/", content)
        self.assertNotIn(token.split(".")[2], content)
        self.check_status(a, b)
        self.assertEqual(self.refusals(a), 0)

    def check_status(self, a, b):
        for agent, keeps_ca in ((a, True), (b, False)):
            view = agent.ctl_json("cluster", "status")
            self.assertEqual((view["node"], view["cluster"], view["problems"]), (agent.node, "default", []))
            self.assertEqual([node["state"] for node in view["nodes"]], ["ALIVE", "ALIVE"])
            self.assertEqual(view["status"]["keeps_ca"], keeps_ca)
            self.assertTrue(view["status"]["db_reachable"])
            self.assertEqual(view["status"]["certificate"]["names"], [agent.node])
            page = agent.ctl("cluster", "status").stdout
            for words in ("All is well.", self.db_url() + ", answers", "primary", f"for {agent.node}, good until",
                          f"{address(2)}:{PORT}"):
                self.assertIn(words, page)
        done = b.ctl("cluster", "token")
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not keep the CA's key", done.stderr)

    def test_who_may_not_join(self):
        a = self.first()
        b = self.bare("b")
        used = self.token(a)["token"]
        self.assertEqual(self.join(b, used, a).returncode, 0)
        b.start()
        self.wait_connected("ab")
        c = self.bare("c")
        self.refused(c, used, a, "the token was used before, by node 'b'")
        expired = self.token(a, "--valid", "1s")["token"]
        time.sleep(2.1)
        self.refused(c, expired, a, "the token expired at ")
        self.refused(c, used[:-1] + ("0" if used[-1] != "0" else "1"), a, "the token is not one of this cluster")
        good = self.token(a)["token"]
        _, fingerprint, secret = good.split(".")
        wrong = ".".join(("ffdc1", fingerprint[::-1], secret))
        before = self.refusals(a)
        self.refused(c, wrong, a, "is not of the cluster that the token is for")
        self.assertEqual(self.refusals(a), before, "the secret was not even sent")
        self.refused(c, good, b, "node 'b' does not keep the cluster's CA")
        twin = self.bare("d", called="b")
        self.refused(twin, good, a, "there is a node 'b' in the cluster already")
        again = self.join(b, good, a)
        self.assertEqual(again.returncode, 1)
        self.assertIn("this node is in a cluster already", again.stderr)
        again = self.cluster_ctl(a, "init", "--db", self.db_url(), "--listen", f"{address(1)}:{PORT}", "--config",
                                 a.config)
        self.assertEqual(again.returncode, 1)
        self.assertIn("this node is in a cluster already", again.stderr)
        self.assertEqual(self.refusals(a), 4)
        self.assertIn("may not join: the token was used before", a.log())
        # None of it used the good one up. One that stopped may come back as another machine.
        self.assertEqual(b.stop(), 0)
        wait_for(lambda: alive(a) == ["a"], "b to be stopped")
        self.assertEqual(self.join(twin, good, a).returncode, 0)
        self.assertEqual(a.stop(), 0)
        self.refused(c, good, a, f"cannot reach the agent at {address(1)}:{PORT}")

    def test_of_two_with_one_token_one_joins(self):
        a = self.first()
        others = [self.bare("b"), self.bare("c")]
        for _ in range(3):
            token = self.token(a)["token"]
            racers = [subprocess.Popen([*inside(agent.namespace), FFDCCTL, "cluster",
                                        *self.join_command(agent, token, a)],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True) for agent in others]
            ends = []
            for racer in racers:
                _, said = racer.communicate(timeout=60)
                ends.append((racer.returncode, said))
            self.assertEqual(sorted(code for code, _ in ends), [0, 1], ends)
            self.assertIn("used before", "".join(said for _, said in ends))
            for agent in others:
                for folder in ("tls", "ffdc.d"):
                    for name in names_in(os.path.join(agent.folder, folder)):
                        os.unlink(os.path.join(agent.folder, folder, name))

    def test_without_a_certificate_nothing_else_is_answered(self):
        a = self.first()
        host = self.net.join("caller", 200)
        ca = os.path.join(a.folder, "tls", "ca.pem")
        for command in (["ping", "default"],
                        ["alert", "default", "019aaf2c-5d40-7000-8000-000000000001", "b", "wwid:x", "1"]):
            done = subprocess.run([*inside(host), PEER_CALL, f"{address(1)}:{PORT}", "a", ca, "", "", *command],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("it shows no certificate", done.stdout)
        self.assertEqual(int(a.status()["cluster_status"]["peers_refused"]), 2)
        self.assertIn("is refused: it shows no certificate", a.log())
        self.assertEqual(a.incidents(), [])

    def test_wrong_tokens_without_end(self):
        a = self.first()
        b = self.bare("b")
        token = self.token(a)["token"]
        wrong = token[:-8] + ("00000000" if token[-8:] != "00000000" else "11111111")
        for _ in range(10):
            self.refused(b, wrong, a, "the token is not one of this cluster")
        self.refused(b, token, a, "too many tries to join failed within a minute")
        self.assertEqual(self.refusals(a), 11)

    def test_leave_and_come_back(self):
        a = self.first()
        b = self.joined(self.bare("b"), a)
        self.wait_connected("ab")
        done = self.cluster_ctl(b, "leave", "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("node b left cluster default", done.stdout)
        self.assertEqual(self.files(b), ["ca.pem.left", "cert.pem.left", "key.pem.left", "cluster.toml.left"])
        wait_for(lambda: alive(a) == ["a"], "b to be no member")
        self.assertEqual([node["name"] for node in a.ctl_json("node", "list")["nodes"]], ["a"])
        # It runs on, alone, and says what is left to do.
        self.assertTrue([p for p in b.problems() if "left cluster default" in p], b.problems())
        self.assertEqual([node["name"] for node in b.ctl_json("node", "list")["nodes"]], ["b"])
        again = self.cluster_ctl(b, "leave", "--yes")
        self.assertEqual(again.returncode, 1)
        self.assertIn("left its cluster before", again.stderr)
        dump = b.ctl_json("dump", "--reason", "alone")
        wait_for(lambda: self.stored_nodes(dump["id"]) == ["b"], "a capture of the node that left")
        time.sleep(8)  # longer than a lease, and until a silent peer is called unreachable
        self.assertEqual([i["kind"] for i in a.incidents() if i["kind"] in ("node.failed", "peer.unreachable")], [])
        self.assertEqual(b.stop(), 0)
        b.start()
        view = b.ctl_json("cluster", "status")
        self.assertEqual((view["status"]["db"], view["problems"]), ("embedded", []))
        self.assertEqual(alive(a), ["a"], "it must not come back by itself")
        done = b.ctl("cluster", "leave", "--yes")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is in no cluster", done.stderr)
        self.assertEqual(b.stop(), 0)
        self.joined(b, a)
        self.wait_connected("ab")

    def test_a_certificate_that_ends_soon_is_a_problem(self):
        agent = self.node("a", identity=self.ca.issue("a", days=10))
        problem = next((p for p in agent.problems() if "certificate" in p), "")
        self.assertRegex(problem, r"expires in (9|10) days")
        view = json.loads(agent.ctl("cluster", "status", "--json").stdout)
        self.assertIn(problem, view["problems"])

    def test_a_key_of_another_ca_keeps_the_agent_from_starting(self):
        agent = self.node("a", start=False, config={"tls": {"ca_key": self.ca.issue("x")[1]}})
        agent.start(ready=False)
        self.assertEqual(agent.wait_end(), 1)
        self.assertIn("tls.ca_key", agent.log())
        self.assertIn("does not belong to the certificate", agent.log())


if __name__ == "__main__":
    main()
