# SPDX-License-Identifier: Apache-2.0
"""The way to the peers and to the cluster DB: one cause is one incident, and what somebody asked for is none."""

import subprocess
import time

from cluster import PORT, ClusterTest, address, alive, inside
from harness import main, wait_for


def watched(agent):
    """What its endpoints are: "3 addresses: 0 storage, 1 db, 2 peer"."""
    probes = agent.ctl_json("probe", "list")["probes"]
    return next(probe["attached_to"] for probe in probes if probe["name"] == "endpoints")


def events(agent, incident_id):
    return agent.incident(incident_id).get("events", [])


def facts(event):
    return {fact["name"]: fact["value"] for fact in event.get("facts", [])}


class InterconnectTest(ClusterTest):
    def watching(self, db=1):
        """Three agents, each of which knows whom it watches."""
        nodes = self.cluster(with_disk="")
        for agent in nodes:
            wait_for(lambda: watched(agent) == f"{db + 2} addresses: 0 storage, {db} db, 2 peer",
                     f"node {agent.node} to watch its peers")
        return nodes

    def wait_events(self, agent, incident_id, *wanted):
        """Kinds with the subjects that they are of, one by one."""
        def there():
            found = {(e["kind"], e["subject"]["id"]): e for e in events(agent, incident_id)}
            return found if set(wanted) <= found.keys() else None
        return wait_for(there, f"{wanted} in the incident of node {agent.node}", timeout=120)

    def test_a_link_that_is_cut_is_one_incident(self):
        a, b, c = self.watching()
        self.net.cut(b.number)
        cut = self.one_incident(b)
        found = self.wait_events(b, cut["id"], ("link.down", "link:eth0@b"), ("db.lost", "cluster_db:default"),
                                 ("peer.unreachable", "node:a"), ("peer.unreachable", "node:c"))
        down = found["link.down", "link:eth0@b"]
        self.assertEqual((down["domain"], down["severity"]), ("X3", "CRITICAL"))
        self.assertEqual(facts(down)["carries"], "db, peer")
        self.assertIn("cut off", found["db.lost", "cluster_db:default"]["summary"])
        # Its sockets tell the same, once that lasts.
        servers = {f"endpoint:{address(101)}:2379", f"endpoint:{address(a.number)}:{PORT}",
                   f"endpoint:{address(c.number)}:{PORT}"}
        degraded = wait_for(lambda: [e for e in events(b, cut["id"]) if e["kind"] == "path.degraded"],
                            "a socket that fails", timeout=60)
        for event in degraded:
            self.assertEqual((event["domain"], event["severity"]), ("X3", "WARNING"))
            self.assertIn(event["subject"]["id"], servers)
        self.assertEqual([(i["kind"], i["domain"]) for i in b.incidents()], [("link.down", "X3")])
        self.assertEqual(b.incident(cut["id"])["first_cause"]["subject_id"], "link:eth0@b")
        # The others have their link, and a node that does not answer.
        for agent in (a, c):
            self.assertEqual([i["kind"] for i in agent.incidents()], ["node.failed"])
        self.net.cut(b.number, up=True)
        self.wait_connected("abc")
        self.wait_events(b, cut["id"], ("link.up", "link:eth0@b"), ("db.restored", "cluster_db:default"))
        for agent in (a, b, c):
            wait_for(lambda: sorted(i["kind"] for i in agent.incidents()) == ["link.down", "node.failed"],
                     f"node {agent.node} to know of both, and of no more")

    def check_cut(self, agent, peer):
        for chain, end in (("OUTPUT", "-d"), ("INPUT", "-s")):
            subprocess.run([*inside(agent.namespace), "iptables", "-I", chain, "-p", "tcp", end, address(peer.number),
                            "-j", "DROP"], check=True, capture_output=True)
        # Not that of the other, which has one of its own.
        incident = wait_for(lambda: [i for i in agent.incidents() if i["subject"]["id"] == f"node:{peer.node}"],
                            f"{agent.node} to miss {peer.node}")[0]
        endpoint = f"endpoint:{address(peer.number)}:{PORT}"
        found = self.wait_events(agent, incident["id"], ("peer.unreachable", f"node:{peer.node}"),
                                 ("path.degraded", endpoint))
        self.assertEqual(facts(found["path.degraded", endpoint])["role"], "peer")
        self.assertEqual({(i["kind"], i["domain"]) for i in agent.incidents()}, {("peer.unreachable", "X3")})

    def test_a_way_to_one_peer_that_is_cut_is_the_peers(self):
        a, b, _ = self.watching()
        self.check_cut(a, b)

    def test_it_is_so_whoever_of_the_two_had_opened_the_connection(self):
        a, b, _ = self.watching()
        self.check_cut(b, a)

    def test_a_pair_needs_one_way_to_connect(self):
        """A firewall that lets none in: they still tell each other, whoever of them it is around."""
        a, b, _ = self.watching()
        for agent in (a, b):
            subprocess.run([*inside(agent.namespace), "iptables", "-I", "INPUT", "-p", "tcp", "--syn", "--dport",
                            str(PORT), "-j", "DROP"], check=True, capture_output=True)
        time.sleep(10)
        for agent in (a, b):
            self.assertEqual(agent.incidents(), [])
        self.assertEqual(alive(a), ["a", "b", "c"])

    def test_a_node_that_is_cut_off_with_its_link_up_has_lost_the_db(self):
        _, b, _ = self.watching()
        subprocess.run([*inside(b.namespace), "iptables", "-I", "INPUT", "-i", "eth0", "-j", "DROP"],
                       check=True, capture_output=True)
        incident = self.one_incident(b)
        self.wait_events(b, incident["id"], ("db.lost", "cluster_db:default"), ("peer.unreachable", "node:a"),
                         ("peer.unreachable", "node:c"))
        wait_for(lambda: [e for e in events(b, incident["id"]) if e["kind"] == "path.degraded"],
                 "a socket that fails", timeout=60)
        self.assertEqual([(i["kind"], i["domain"]) for i in b.incidents()], [("db.lost", "X3")])

    def test_a_rolling_restart_is_nothing(self):
        nodes = self.watching()
        for agent in nodes:
            self.assertEqual(agent.stop(), 0)
            time.sleep(12)  # longer than anything takes to be called failed
            agent.start()
            self.wait_connected("abc")
        time.sleep(8)
        for agent in nodes:
            self.assertEqual(agent.incidents(), [])
            self.assertEqual(watched(agent), "3 addresses: 0 storage, 1 db, 2 peer")

    def test_an_agent_that_dies_and_is_started_at_once_is_nothing(self):
        """Its peers' connections are reset and refused, but its lease is still there."""
        nodes = self.watching()
        for agent in nodes:
            agent.kill()
            time.sleep(0.5)  # for a try to connect
            agent.start()
            self.wait_connected("abc")
        time.sleep(8)
        for agent in nodes:
            self.assertEqual(agent.incidents(), [])

    def test_whom_it_watches_follows_the_members(self):
        a, b, _ = self.watching()
        self.assertEqual(b.stop(), 0)
        wait_for(lambda: watched(a) == "2 addresses: 0 storage, 1 db, 1 peer", "a to let go of b")
        b.start()
        wait_for(lambda: watched(a) == "3 addresses: 0 storage, 1 db, 2 peer", "a to watch b again")


if __name__ == "__main__":
    main()
