# SPDX-License-Identifier: Apache-2.0
"""Links and connections towards a watched endpoint, in network namespaces of the test's own."""

import os
import signal
import subprocess
import sys
import time

import harness
from harness import E2eTest, wait_for

PORT = 7000
SERVER = """
import socket, sys, threading
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('10.99.0.2', int(sys.argv[1])))
s.listen(9)
print('ready', flush=True)
def echo(c):
    while True:
        d = c.recv(65536)
        if not d:
            return
        c.sendall(d)
while True:
    c, _ = s.accept()
    threading.Thread(target=echo, args=(c,), daemon=True).start()
"""
# Talks until something fails, and says what. It does not wait for ever for one answer: when that alone was lost,
# nothing of its own is unacknowledged, and only what it says next tells.
CLIENT = """
import errno, select, socket, sys, time
port, seconds, timeout_ms = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
end = time.monotonic() + seconds
try:
    s = socket.create_connection(('10.99.0.2', port))
    if timeout_ms:
        s.setsockopt(socket.IPPROTO_TCP, 18, timeout_ms)  # TCP_USER_TIMEOUT
    print('connected', flush=True)
    while time.monotonic() < end:
        s.sendall(b'x' * 1000)
        if select.select([s], [], [], 0.2)[0] and not s.recv(65536):
            sys.exit('EOF')
        time.sleep(0.02)
    print('well')
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class LinkTest(E2eTest):
    """The agent lives in one namespace, the storage in another, a cable between them."""

    def setUp(self):
        super().setUp()
        tag = f"ffdc{os.getpid()}"
        self.here, self.there = tag + "a", tag + "b"
        for name in (self.here, self.there):
            run("ip", "netns", "add", name)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name])
            run("ip", "-n", name, "link", "set", "lo", "up")
        self.cable("san0", "10.99.0.1/24", "10.99.0.2/24")
        self.cable("lan0", "10.98.0.1/24", "10.98.0.2/24")
        self.agent_ = None

    def cable(self, name, here, there):
        run("ip", "-n", self.here, "link", "add", name, "type", "veth", "peer", "name", name, "netns", self.there)
        for namespace, address in ((self.here, here), (self.there, there)):
            run("ip", "-n", namespace, "addr", "add", address, "dev", name)
            run("ip", "-n", namespace, "link", "set", name, "up")

    def start_agent(self, endpoints=(f"10.99.0.2:{PORT}",), **incident):
        self.agent_ = self.agent([self.disk()], prefix=["ip", "netns", "exec", self.here],
                                 config={"watch": {"endpoints": list(endpoints)},
                                         "incident": {"quiet_after": "10s", **incident}})
        return self.agent_

    def there_ip(self, *args):
        run("ip", "-n", self.there, *args)

    def server(self):
        process = self.spawn(self.there, SERVER, PORT)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def client(self, seconds, timeout_ms=0):
        return self.spawn(self.here, CLIENT, PORT, seconds, timeout_ms)

    def spawn(self, namespace, program, *args):
        process = subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", program,
                                    *[str(arg) for arg in args]], stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()
        self.addCleanup(end)
        return process

    def events(self, kind=None):
        found = [event for incident in self.agent_.incidents()
                 for event in self.agent_.incident(incident["id"]).get("events", [])]
        return [event for event in found if kind in (None, event["kind"])]

    def wait_event(self, kind, timeout=harness.PATIENCE, **facts):
        def there():
            for event in self.events(kind):
                known = {fact["name"]: fact["value"] for fact in event.get("facts", [])}
                if all(value in known.get(name, "") for name, value in facts.items()):
                    return event
            return None
        return wait_for(there, f"{kind} {facts}", timeout)

    def detected_within(self, event, since, limit):
        """`since`: time.monotonic_ns() before the fault was made."""
        took = (int(event["detected_mono_ns"]) - since) / 1e9
        self.assertLess(took, limit + 2, "seconds until it was detected, on a host that does other work too")
        self.assertGreater(took, 0)

    def test_peer_port_down_and_up(self):
        self.start_agent()
        since = time.monotonic_ns()
        self.there_ip("link", "set", "san0", "down")
        event = self.wait_event("link.down")
        self.detected_within(event, since, 1.0)
        self.assertEqual(event["subject"]["id"], "link:san0@node1")
        self.assertEqual((event["severity"], event["domain"]), ("CRITICAL", "X1"))
        self.assertIn(f"endpoint:10.99.0.2:{PORT}", event["related_ids"])
        self.assertIn(f"10.99.0.2:{PORT}", event["summary"])
        self.there_ip("link", "set", "san0", "up")
        up = self.wait_event("link.up")
        self.assertEqual(up["subject"]["id"], "link:san0@node1")
        self.assertEqual(up["related_ids"], event["related_ids"])

    def test_up_again_though_nobody_asks_for_the_neighbour(self):
        self.start_agent()
        self.there_ip("link", "set", "san0", "down")
        self.assertEqual(self.client(5).stdout.read(), "EHOSTUNREACH\n")
        self.wait_event("link.down", neighbour="FAILED")
        self.there_ip("link", "set", "san0", "up")
        self.wait_event("link.up")

    def test_flapping_is_one_event(self):
        self.start_agent()
        for _ in range(4):
            self.there_ip("link", "set", "san0", "down")
            time.sleep(0.6)
            self.there_ip("link", "set", "san0", "up")
            time.sleep(0.6)
        self.wait_event("link.up")
        events = self.events("link.down")
        self.assertEqual(len(events), 1)
        self.assertGreaterEqual(int(events[0]["count"]), 2)

    def test_a_blink_is_seen(self):
        self.start_agent()
        self.there_ip("link", "set", "san0", "down")
        self.there_ip("link", "set", "san0", "up")
        self.wait_event("link.down")
        self.wait_event("link.up")

    def test_other_interfaces_are_nobodys_business(self):
        self.start_agent()
        for command in ("down", "up"):
            self.there_ip("link", "set", "lan0", command)
            time.sleep(1.2)
        run("ip", "-n", self.here, "link", "del", "lan0")
        self.server()
        client = self.client(2)
        self.assertEqual(client.stdout.read(), "connected\nwell\n")
        time.sleep(1)
        self.assertEqual(self.agent_.incidents(), [])

    def test_set_down_here(self):
        self.start_agent()
        since = time.monotonic_ns()
        run("ip", "-n", self.here, "link", "set", "san0", "down")
        event = self.wait_event("link.down", state="set down")
        self.detected_within(event, since, 1.0)
        run("ip", "-n", self.here, "link", "set", "san0", "up")
        self.wait_event("link.up")

    def test_route_gone(self):
        self.start_agent()
        since = time.monotonic_ns()
        run("ip", "-n", self.here, "route", "del", "10.99.0.0/24")
        event = self.wait_event("link.down", route="no route to 10.99.0.2")
        self.detected_within(event, since, 1.0)
        run("ip", "-n", self.here, "route", "add", "10.99.0.0/24", "dev", "san0")
        self.wait_event("link.up")

    def test_interface_removed(self):
        self.start_agent()
        run("ip", "-n", self.here, "link", "del", "san0")
        self.wait_event("link.down", state="removed")
        self.cable("san0", "10.99.0.1/24", "10.99.0.2/24")
        self.wait_event("link.up")

    def test_neighbour_does_not_answer(self):
        self.start_agent()
        self.there_ip("addr", "del", "10.99.0.2/24", "dev", "san0")
        self.client(5)
        down = self.wait_event("link.down", neighbour="neighbour 10.99.0.2 FAILED")
        degraded = self.wait_event("path.degraded", error="EHOSTUNREACH")
        self.assertIn(degraded["subject"]["id"], down["related_ids"])
        self.there_ip("addr", "add", "10.99.0.2/24", "dev", "san0")
        run("ip", "netns", "exec", self.there, "ping", "-c", "1", "-W", "2", "10.99.0.1") if self.has_ping() else \
            self.client(2)
        self.wait_event("link.up")

    @staticmethod
    def has_ping():
        return any(os.access(os.path.join(folder, "ping"), os.X_OK) for folder in ("/bin", "/usr/bin"))

    def test_peer_killed(self):
        self.start_agent()
        server = self.server()
        client = self.client(20)
        self.assertEqual(client.stdout.readline(), "connected\n")
        since = time.monotonic_ns()
        server.send_signal(signal.SIGKILL)
        client.wait()
        self.assertIn(self.client(5).stdout.read(), ("ECONNREFUSED\n",))
        event = self.wait_event("path.degraded", error="ECONNREFUSED")
        self.detected_within(event, since, 5.0)
        self.assertEqual(event["subject"]["id"], f"endpoint:10.99.0.2:{PORT}")
        self.assertEqual(event["subject"]["type"], "endpoint")
        self.assertEqual((event["severity"], event["domain"]), ("WARNING", "X1"))
        self.assertIn("configuration", event["summary"])
        ended = wait_for(lambda: [i for i in self.agent_.incidents() if i["state"] == "CLOSED"], "the end of it", 40)
        self.assertEqual(len(ended), 1)

    def test_packets_vanish(self):
        self.start_agent()
        self.server()
        client = self.client(30, timeout_ms=4000)
        self.assertEqual(client.stdout.readline(), "connected\n")
        since = time.monotonic_ns()
        # What the other side sends goes nowhere; no link, route or neighbour of ours is hurt.
        self.there_ip("route", "add", "blackhole", "10.99.0.1/32")
        event = self.wait_event("path.degraded", retransmits="3")
        self.detected_within(event, since, 3.0)
        self.assertIn("retransmits in a row", event["summary"])
        self.wait_event("path.degraded", error="ETIMEDOUT")
        self.assertEqual(self.events("link.down"), [])

    def test_normal_ends_are_nothing(self):
        self.start_agent()
        server = self.server()
        for _ in range(20):
            self.assertEqual(self.client(0.1).stdout.read(), "connected\nwell\n")
        server.terminate()  # nobody is connected
        time.sleep(1.5)
        self.assertEqual(self.agent_.incidents(), [])

    def test_a_flushed_neighbour_is_nothing(self):
        self.server()
        self.start_agent()
        self.client(0.1).wait()  # it is known now
        for _ in range(5):
            run("ip", "-n", self.here, "neigh", "flush", "dev", "san0")
            time.sleep(0.7)
        time.sleep(1)
        self.assertEqual(self.agent_.incidents(), [])

    def test_other_namespaces_are_not_ours(self):
        self.start_agent()
        client = self.spawn(self.there, CLIENT, PORT, 1, 0)  # the same address, reached from there
        self.assertEqual(client.stdout.read(), "ECONNREFUSED\n")
        time.sleep(1)
        self.assertEqual(self.agent_.incidents(), [])


if __name__ == "__main__":
    harness.main()
