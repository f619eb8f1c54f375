# SPDX-License-Identifier: Apache-2.0
"""Clusters for the end-to-end tests: real etcd servers and real agents, each in a network namespace of its
own, joined by a bridge; certificates of a CA made with openssl. Nothing is mocked: links are cut, servers
are killed."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import Agent, E2eTest, FFDCCTL, wait_for

PORT = 7420
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
if not os.path.exists(FAKETIME):
    FAKETIME = "/usr/lib64/faketime/libfaketimeMT.so.1"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Ca:
    """A certificate authority in a folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.cert, self.key = self.path("ca.crt"), self.path("ca.key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.cert, "-days", "3650", "-subj", "/CN=FFDC test CA")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, address=None, at=None, days=3650):
        """Certificate and key for a node, good for so many days; at: when ("2020-01-01"), for one day."""
        cert, key, request, extra = (self.path(f"{name}.{kind}") for kind in ("crt", "key", "csr", "ext"))
        names = f"DNS:{name}" + (f",IP:{address}" if address else "")
        with open(extra, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", request, "-subj", f"/CN={name}")
        environment = {**os.environ, **({"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{at} 00:00:00"} if at else {})}
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
            "-out", cert, "-days", "1" if at else str(days), "-extfile", extra, env=environment)
        return cert, key


class Net:
    """Namespaces around one bridge, 10.77.0.0/24."""

    def __init__(self):
        self.base = f"ffdc{os.getpid()}"
        self.hub = f"{self.base}-hub"
        self.names = []
        self._add(self.hub)
        run("ip", "-n", self.hub, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.hub, "link", "set", "br0", "up")

    def _add(self, name):
        run("ip", "netns", "add", name)
        self.names.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def join(self, host, number):
        """A namespace with the address 10.77.0.<number>; returns its name."""
        name = f"{self.base}-{host}"
        self._add(name)
        run("ip", "-n", self.hub, "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0",
            "netns", name)
        run("ip", "-n", self.hub, "link", "set", f"v{number}", "master", "br0", "up")
        run("ip", "-n", name, "address", "add", address(number) + "/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        return name

    def cut(self, number, up=False):
        run("ip", "-n", self.hub, "link", "set", f"v{number}", "up" if up else "down")

    def close(self):
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def address(number):
    return f"10.77.0.{number}"


def inside(namespace):
    return ["nsenter", f"--net=/run/netns/{namespace}"]


class Etcd:
    """One server of an etcd cluster. prefix: what the command begins with."""

    def __init__(self, net, name, number, members, tls=None, prefix=()):
        self.url = f"{address(number)}:2379"
        self.namespace = net.join(name, number)
        self.data = tempfile.mkdtemp(prefix="ffdc-etcd.", dir="/dev/shm")
        scheme = "https" if tls else "http"
        peers = ",".join(f"{member}=http://{address(at)}:2380" for member, at in members)
        self.command = [
            *inside(self.namespace), *prefix, "etcd", "--name", name, "--data-dir", self.data,
            "--listen-client-urls", f"{scheme}://{self.url}", "--advertise-client-urls", f"{scheme}://{self.url}",
            "--listen-peer-urls", f"http://{address(number)}:2380",
            "--initial-advertise-peer-urls", f"http://{address(number)}:2380",
            "--initial-cluster", peers, "--initial-cluster-state", "new", "--log-level", "error"]
        if tls:
            cert, key = tls.issue(name, address(number))
            self.command += ["--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", tls.cert]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.data, True)


class ClusterTest(E2eTest):
    """Agents that know each other: node "a" has the address 10.77.0.1, "b" 10.77.0.2, ..."""

    def setUp(self):
        super().setUp()
        self.net = Net()
        self.addCleanup(self.net.close)
        self.ca = Ca(os.path.join(self.folder, "ca"))
        self.store = os.path.join(self.folder, "store")
        self.etcd = []
        self.nodes = {}
        self.tls_db = False

    etcd_prefix = ()

    def start_etcd(self, count=1, tls=False):
        self.tls_db = tls
        members = [(f"etcd{i}", 100 + i) for i in range(1, count + 1)]
        for name, number in members:
            server = Etcd(self.net, name, number, members, self.ca if tls else None, self.etcd_prefix)
            self.addCleanup(server.close)
            self.etcd.append(server)
        for server in self.etcd:
            server.start()

    def db_url(self):
        return ("etcds://" if self.tls_db else "etcd://") + ",".join(server.url for server in self.etcd)

    def node(self, name, disks=(), start=True, identity=None, env=None, config=None):
        number = ord(name[0]) - ord("a") + 1 if len(name) == 1 else int(name[1:])
        namespace = self.net.join(name, number)
        cert, key = identity or self.ca.issue(name)
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        runtime = tempfile.mkdtemp(prefix="ffdc-e2e.", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, runtime, True)
        sections = {
            "cluster": {"db": self.db_url()},
            "peer": {"listen": f"{address(number)}:{PORT}"},
            "tls": {"ca": self.ca.cert, "cert": cert, "key": key},
            # Of the machine's own disks none is to be seen.
            "devices": {} if disks else {"include": ["none"]},
        }
        for section, keys in (config or {}).items():
            sections.setdefault(section, {}).update(keys)
        agent = Agent(folder, runtime, disks, store=self.store, prefix=inside(namespace), config=sections)
        agent.node = name
        agent.number = number
        agent.namespace = namespace
        agent.env = env
        self.agents.append(agent)
        self.nodes[name] = agent
        self.addCleanup(self._end_agent, agent)
        return agent.start(env=env) if start else agent

    def cluster(self, names="abc", with_disk="a", **options):
        """Agents that all reach each other; those of with_disk have a disk to break."""
        if not self.etcd:
            self.start_etcd()
        self.disks = {}
        for name in names:
            self.disks[name] = self.disk() if name in with_disk else None
            self.node(name, [self.disks[name]] if self.disks[name] else [], **options)
        self.wait_connected(names)
        return [self.nodes[name] for name in names]

    def wait_connected(self, names):
        """Each sees all others alive."""
        for name in names:
            agent = self.nodes[name]
            wait_for(lambda: alive(agent) == sorted(names), f"node {name} to reach {list(names)}", timeout=90 + 3 * len(names))

    def captures(self, agent, incident_id):
        return {c["node"]: c for c in agent.incident(incident_id).get("captures", [])}

    def wait_all_stored(self, agent, incident_id, names, timeout=90):
        def there():
            found = self.captures(agent, incident_id)
            done = sorted(n for n, c in found.items() if c["state"] == "STORED")
            return found if done == sorted(names) else None
        return wait_for(there, f"captures of {list(names)} in the store", timeout, poll=0.1)

    def stored_nodes(self, incident_id):
        found = []
        for folder, _, files in os.walk(os.path.join(self.store, "v1", "default", "incidents")):
            if "capture.tar.zst" in files and os.path.basename(os.path.dirname(folder)) == incident_id:
                found.append(os.path.basename(folder))
        return sorted(found)

    def one_incident(self, agent, kind=None):
        def there():
            found = [i for i in agent.incidents() if kind is None or i["kind"] == kind]
            return found[0] if found else None
        return wait_for(there, f"an incident {kind or ''} on node {agent.node}")


def stored_json(test, incident_id, *path):
    for folder, names, _ in os.walk(os.path.join(test.store, "v1", "default", "incidents")):
        if incident_id in names:
            with open(os.path.join(folder, incident_id, *path), encoding="utf-8") as file:
                return json.load(file)
    raise AssertionError(f"incident {incident_id} is not in the store")


def nodes_of(agent):
    return {node["name"]: node for node in agent.ctl_json("node", "list")["nodes"]}


def alive(agent):
    return sorted(name for name, node in nodes_of(agent).items() if node["state"] == "ALIVE")


__all__ = ["Ca", "ClusterTest", "Etcd", "FAKETIME", "FFDCCTL", "Net", "PORT", "address", "alive", "inside",
           "nodes_of", "run",
           "stored_json"]
