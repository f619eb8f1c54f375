# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: agents of its own, devices of its own, patience.

The tests run the real ffdcd and ffdcctl on the real kernel: nothing is mocked."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import uuid

from disks import Cgroup, FaultFs, LoopDisk, Mount, Shown

BIN = os.environ.get("FFDC_BIN", "")
FFDCD = os.path.join(BIN, "ffdcd")
FFDCCTL = os.path.join(BIN, "ffdcctl")
# Instrumented binaries are slower and larger: limits that would say nothing are not checked.
SANITIZED = os.environ.get("FFDC_SANITIZED", "") not in ("", "0")
PATIENCE = 60 if SANITIZED else 25
# Not /tmp, which may be a tmpfs: that has no direct I/O before Linux 6.6.
DISK_DIR = "/var/tmp"
ARCHIVE = "capture.tar.zst"


def main():
    """The entry of each test file: what is missing is a failure, never a skip."""
    if not os.access(FFDCD, os.X_OK) or not os.access(FFDCCTL, os.X_OK):
        sys.exit(f"e2e: FFDC_BIN must name the folder of ffdcd and ffdcctl, not '{BIN}'")
    if os.geteuid() != 0:
        sys.exit("e2e: these tests need root (BPF programs, loop devices, mounts): use sudo")
    unittest.main(verbosity=2)


def wait_for(predicate, what, timeout=PATIENCE, poll=0.05):
    """Returns the first truthy value of predicate()."""
    until = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(poll)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def untar_zst(archive, folder):
    os.makedirs(folder, exist_ok=True)
    with subprocess.Popen(["zstd", "-dcq", archive], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
            tar.extractall(folder)
    if unpack.returncode != 0:
        raise AssertionError(f"zstd cannot unpack {archive}")


def stat_fields(pid):
    """What /proc/PID/stat says behind the name: state, ppid, process group, ..."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()


def names_in(folder):
    """A missing folder holds none."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Agent:
    """One ffdcd in a process group of its own, with folders of its own."""

    def __init__(self, folder, runtime, disks=(), **options):
        self.folder = folder
        self.runtime = runtime
        self.store = options.get("store") or os.path.join(folder, "store")
        self.spool = options.get("spool") or os.path.join(folder, "spool")
        self.socket = os.path.join(folder, "ffdcd.sock")
        self.node = "node1"
        self.prefix = list(options.get("prefix", ()))
        self.include = [disk.name for disk in disks]
        # Keys of the configuration by section, on top of those the harness needs.
        self.sections = options.get("config") or {}
        # Identities of what the store stands on: it is lost with them, in one incident.
        self.below_store = ()
        self.log_path = os.path.join(folder, "ffdcd.log")
        self.process = None

    @property
    def cluster_dir(self):
        return os.path.join(self.store, "v1", "default")

    def config_text(self):
        sections = {
            "node": {"name": self.node},
            "store": {"url": "dir:" + self.store},
            "spool": {"path": self.spool},
            "control": {"socket": self.socket},
            "capture": {"runtime_dir": self.runtime},
            "devices": {"include": self.include},
            "incident": {},
            # None: other tests, and the host, have filesystems that fill or hang.
            "watch": {"filesystems": ["/nowhere"]},
        }
        for section, keys in self.sections.items():
            sections.setdefault(section, {}).update(keys)
        lines = []
        for section, keys in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        return "\n".join(lines) + "\n"

    def write_config(self):
        path = os.path.join(self.folder, "ffdc.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.config_text())
        return path

    def start(self, ready=True, env=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, FFDCD, "--config", self.write_config()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **(env or {})})
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(f"ffdcd ended with {self.process.returncode} instead of serving")
            return self.ctl("status").returncode == 0
        wait_for(answers, "ffdcd to answer")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; returns the exit code."""
        if self.alive():
            self.process.terminate()
        code = self.wait_end()
        self._reap_group()
        return code

    def wait_end(self, timeout=PATIENCE):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ffdcd did not end within {timeout} s") from None

    def kill(self):
        """SIGKILL to agent, launcher and workers at once, as a power cut would."""
        if self.process is None:
            return
        self._reap_group()
        self.process.wait()

    def _reap_group(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def pids(self):
        """The agent, its launcher and its workers."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    group = int(stat_fields(entry)[2])
                except OSError:
                    continue
                if group == self.process.pid:
                    found.append(int(entry))
        return found

    def launcher_pid(self):
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == "ffdcd-launcher":
                        return pid
            except OSError:
                continue
        raise AssertionError("ffdcd has no launcher process")

    def rss_bytes(self):
        """Highest resident size of the agent so far."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def ctl(self, *args, timeout=100):
        return subprocess.run([FFDCCTL, "--socket", self.socket, *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout)

    def ctl_json(self, *args):
        done = self.ctl(*args, "--json")
        if done.returncode != 0:
            raise AssertionError(f"ffdcctl {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def status(self):
        return self.ctl_json("status")

    def problems(self):
        return self.status().get("problems", [])

    def device(self, name):
        """What the status says of a watched device; None if it is not watched."""
        return next((d for d in self.status()["devices"] if d["name"] == name), None)

    def probe(self, name):
        return next(p for p in self.ctl_json("probe", "list")["probes"] if p["name"] == name)

    def counted(self, incident_id):
        """The failures in the incident's events, and those whose record was dropped."""
        return event_count(self.incident(incident_id)) + int(self.probe("block_io")["drops"])

    def incidents(self):
        """Oldest first, without those of the store itself."""
        return [i for i in self._incidents() if not self._of_store(i["kind"], i["subject"])]

    def store_incidents(self):
        """Of the store that could not be reached."""
        return [i for i in self._incidents() if self._of_store(i["kind"], i["subject"])]

    def _of_store(self, kind, subject):
        return kind == "store.lost" or subject["id"] in self.below_store

    def _incidents(self):
        return list(reversed(self.ctl_json("incident", "list").get("incidents", [])))

    def incident(self, incident_id):
        return self.ctl_json("incident", "show", incident_id)["incident"]

    def wait_incidents(self, count, state=None, timeout=PATIENCE):
        """Waits until there are `count` incidents whose captures are all in `state`."""
        def there():
            found = self.incidents()
            if len(found) > count:
                raise AssertionError(f"{len(found)} incidents instead of {count}")
            wrong = [i for i in found if state and capture_of(i)["state"] != state]
            return found if len(found) == count and not wrong else None
        return wait_for(there, f"{count} incidents {state or ''}", timeout, poll=0.1)

    def wait_stored(self, count=1, timeout=PATIENCE):
        return self.wait_incidents(count, "STORED", timeout)

    def stored_folders(self):
        """<store>/.../<incident-id>/<node> of every stored capture."""
        found = []
        for folder, _, files in os.walk(os.path.join(self.cluster_dir, "incidents")):
            if "capture.tar.zst" in files and not self.captured_for_store(folder):
                found.append(folder)
        return sorted(found)

    def leftovers(self):
        """What must be gone once everything is stored: half uploads, spool, staging."""
        left = []
        for folder in (os.path.join(self.cluster_dir, "tmp"), os.path.join(self.spool, "tmp"),
                       os.path.join(self.spool, "sealed"), os.path.join(self.runtime, "captures")):
            left += [os.path.join(folder, name) for name in names_in(folder)]
        return left

    def staged(self):
        return names_in(os.path.join(self.runtime, "captures"))

    def sealed(self):
        """As incidents(): without those of the store itself."""
        folder = os.path.join(self.spool, "sealed")
        return [name for name in names_in(folder) if not self.captured_for_store(os.path.join(folder, name))]

    def captured_for_store(self, capture_folder):
        """Was it captured because the store could not be reached?"""
        try:
            with open(os.path.join(capture_folder, "manifest.json"), encoding="utf-8") as manifest:
                trigger = json.load(manifest)["trigger"]
        except OSError:
            return False  # it left this moment
        return self._of_store(trigger["kind"], trigger["subject"])


def uuid7():
    """As the agent makes them: the time is in the id."""
    value = (int(time.time() * 1000) << 80) | (7 << 76) | (2 << 62) | (uuid.uuid4().int & ((1 << 62) - 1))
    return str(uuid.UUID(int=value))


def seal_big_capture(agent, size):
    """What a former life of the agent has left in its spool. Returns the incident's id."""
    incident_id = uuid7()
    folder = os.path.join(agent.spool, "sealed", incident_id)
    os.makedirs(folder)
    data = os.path.join(agent.folder, "big")
    with open(data, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    archive = os.path.join(folder, ARCHIVE)
    with open(archive, "wb") as file, \
            subprocess.Popen(["zstd", "-1", "-q", "-c"], stdin=subprocess.PIPE, stdout=file) as zstd:
        with tarfile.open(fileobj=zstd.stdin, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            tar.add(data, "big.bin")
        zstd.stdin.close()
    digest = sha256(data)
    os.unlink(data)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event = {"id": uuid7(), "kind": "manual", "subject": {"type": "node", "id": f"node:{agent.node}"},
             "first_at": now, "last_at": now, "count": "1", "node": agent.node}
    manifest = {"format": 1, "incident_id": incident_id, "cluster": "default", "node": agent.node, "trigger": event,
                "started_at": now, "sealed_at": now, "archive": ARCHIVE,
                "archive_bytes": str(os.path.getsize(archive)), "archive_sha256": sha256(archive),
                "files": [{"name": "big.bin", "size_bytes": str(size), "sha256": digest}]}
    incident = {"id": incident_id, "cluster": "default", "kind": "manual", "opened_at": now}
    for name, content in (("manifest.json", manifest), ("incident.json", incident)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    return incident_id


def capture_of(incident):
    """Its only capture."""
    captures = incident.get("captures", [])
    if len(captures) != 1:
        raise AssertionError(f"incident {incident.get('id')} has {len(captures)} captures, not one")
    return captures[0]


def event_count(incident):
    return sum(int(event["count"]) for event in incident.get("events", []))


class E2eTest(unittest.TestCase):
    """Gives agents, disks and mounts, and takes all of them away at the end."""

    maxDiff = None

    def setUp(self):
        self.agents = []
        self.folder = tempfile.mkdtemp(prefix="ffdc-e2e.", dir=DISK_DIR)
        self.addCleanup(shutil.rmtree, self.folder, True)

    def run(self, result=None):
        result = result if result is not None else self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for name, log in getattr(self, "_logs", []):
                print(f"---- log of {name}, {self.id()}\n{log}", file=sys.stderr)
        return result

    def agent(self, disks=(), start=True, **options):
        number = len(self.agents) + 1
        folder = os.path.join(self.folder, f"agent{number}")
        os.mkdir(folder)
        runtime = tempfile.mkdtemp(prefix="ffdc-e2e.", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, runtime, True)
        agent = Agent(folder, runtime, disks, **options)
        self.agents.append(agent)
        self.addCleanup(self._end_agent, agent)
        return agent.start() if start else agent

    def _end_agent(self, agent):
        self._logs = getattr(self, "_logs", [])
        try:
            if agent.alive():
                self.assertEqual(agent.stop(), 0, "exit code of ffdcd after SIGTERM")
        finally:
            agent.kill()
            self._logs.append((os.path.basename(agent.folder), agent.log()))

    def disk(self, size=16 << 20, **options):
        disk = LoopDisk(self.folder, size, **options)
        self.addCleanup(disk.restore)
        return disk

    def shown(self, disk):
        shown = Shown(disk)
        self.addCleanup(shown.close)
        return shown

    def fault_fs(self, name="mount"):
        """A mounted folder whose files fail or hang as asked."""
        below = os.path.join(self.folder, "below")
        os.mkdir(below)
        mount = FaultFs(os.path.join(BIN, "faultfs"), os.path.join(self.folder, name), below)
        self.addCleanup(mount.close)
        return mount

    def mount(self, name, *args):
        mount = Mount(os.path.join(self.folder, name), *args)
        self.addCleanup(mount.close)
        return mount

    def tmpfs(self, name, size):
        return self.mount(name, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")

    def ext4(self, name, size=96 << 20):
        """A filesystem on a disk of its own, which can be frozen."""
        disk = self.disk(size)
        done = subprocess.run(["mkfs.ext4", "-q", "-F", disk.path], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.mount(name, "-t", "ext4", disk.path)

    def cgroup(self, name):
        cgroup = Cgroup(f"ffdc-e2e-{name}-{os.getpid()}.service")
        self.addCleanup(cgroup.close)
        return cgroup

    def check_exact(self, agent, incident_id, shown, made):
        """The incident counts every failure that the kernel shows; returns the count."""
        failed, missed = shown.end()
        self.assertTrue(made - made // 100 - 1 <= failed + missed <= made, f"{failed} of {made} shown")
        wait_for(lambda: agent.counted(incident_id) >= failed + missed,
                 f"{failed} failures in incident {incident_id}")
        time.sleep(1.2)  # a tick more: it must not count on
        self.assertEqual(agent.counted(incident_id), failed + missed)
        return event_count(agent.incident(incident_id))

    def check_stored_once(self, agent, incident_id):
        """Exactly one copy, nothing half done anywhere, every checksum right."""
        wait_for(lambda: not agent.leftovers(), f"an empty spool and staging (left: {agent.leftovers()})")
        copies = [f for f in agent.stored_folders() if os.path.basename(os.path.dirname(f)) == incident_id]
        self.assertEqual(len(copies), 1, f"copies of {incident_id} in the store")
        verified = agent.ctl("incident", "verify", incident_id)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
