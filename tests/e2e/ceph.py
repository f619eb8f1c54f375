# SPDX-License-Identifier: Apache-2.0
"""A real Ceph cluster of one monitor, one OSD (BlueStore on a file) and one manager, all of it in
one folder, for as long as a test runs. cephx is on, as in every cluster that is used."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid

START_S = 300  # generous: it takes about ten seconds where nothing else runs

# Modules that the manager would load: seconds of work for nothing that a test asks.
_UNNEEDED = ("balancer crash dashboard devicehealth iostat nfs orchestrator pg_autoscaler progress rbd_support "
             "restful status telemetry volumes")


def _free_ports(count):
    """All of them open at once, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Ceph:
    def __init__(self, folder, size=3 << 30):
        self.folder = folder
        self.size = size
        self.fsid = str(uuid.uuid4())
        self.conf = self._path("ceph.conf")
        self.daemons = {}
        self.mon_address = "[v2:127.0.0.1:{},v1:127.0.0.1:{}]".format(*_free_ports(2))
        for name in ("mon", "osd", "mgr", "run", "log"):
            os.makedirs(self._path(name))
        self._write(self.conf, self._conf_text())

    def _path(self, *names):
        return os.path.join(self.folder, *names)

    def monitors(self):
        """Where they listen."""
        return re.findall(r"127\.0\.0\.1:[0-9]+", self.mon_address)

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _conf_text(self):
        return f"""[global]
fsid = {self.fsid}
mon host = {self.mon_address}
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
run dir = {self._path("run")}
admin socket = {self._path("run")}/$name.asok
log file = {self._path("log")}/$name.log
log to stderr = false
crash dir = {self._path("log")}
keyring = {self._path("admin.keyring")}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
[mon]
keyring = {self._path("mon.keyring")}
mon data = {self._path("mon")}
mon data avail crit = 1
mgr initial modules =
mgr disabled modules = {_UNNEEDED}
[osd]
osd data = {self._path("osd")}
keyring = {self._path("osd", "keyring")}
osd objectstore = bluestore
bluestore block create = true
bluestore block size = {self.size}
bluestore block db create = false
bluestore block wal create = false
bluestore fsck on mount = false
osd memory target = {1 << 30}
[mgr]
mgr data = {self._path("mgr")}
keyring = {self._path("mgr", "keyring")}
"""

    @staticmethod
    def _run(*args, text=None, check=True):
        done = subprocess.run(args, capture_output=True, text=True, input=text, timeout=START_S)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def command(self, *args, text=None):
        """What `ceph ...` prints, as the administrator."""
        return self._run("ceph", "-c", self.conf, "--connect-timeout", "20", *args, text=text).stdout

    def json(self, *args):
        return json.loads(self.command(*args, "--format", "json"))

    def rados(self, *args):
        return self._run("rados", "-c", self.conf, *args).stdout

    def _start(self, kind, name):
        with open(self._path("log", f"{kind}.out"), "ab") as log:
            # It must not outlive a test that is killed.
            self.daemons[kind] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", f"ceph-{kind}", "-c", self.conf, "-i", name, "-f"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)

    def start_mon(self):
        self._start("mon", "a")

    def start(self):
        mon_key, admin_key = self._path("mon.keyring"), self._path("admin.keyring")
        self._run("ceph-authtool", "--create-keyring", admin_key, "--gen-key", "-n", "client.admin", "--cap",
                  "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self._run("ceph-authtool", "--create-keyring", mon_key, "--gen-key", "-n", "mon.", "--cap", "mon",
                  "allow *")
        self._run("ceph-authtool", mon_key, "--import-keyring", admin_key)
        self._run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", self.mon_address,
                  self._path("monmap"))
        self._run("ceph-mon", "-c", self.conf, "-i", "a", "--mkfs", "--monmap", self._path("monmap"),
                  "--keyring", mon_key)
        self.start_mon()
        self._write(self._path("mgr", "keyring"),
                    self.command("auth", "get-or-create", "mgr.x", "mon", "allow profile mgr", "osd", "allow *"))
        self._start("mgr", "x")
        self._start_osd()
        self.wait_for(lambda: self.json("osd", "stat")["num_up_osds"] == 1, "the OSD")
        self.wait_for(lambda: self.json("mgr", "stat").get("available"), "the manager")
        return self

    def _start_osd(self):
        key = self._run("ceph-authtool", "--gen-print-key").stdout.strip()
        osd = str(uuid.uuid4())
        self.command("osd", "new", osd, "0", "-i", "-", text=json.dumps({"cephx_secret": key}))
        self._run("ceph-authtool", "--create-keyring", self._path("osd", "keyring"), "-n", "osd.0",
                  "--add-key", key)
        self._run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._start("osd", "0")

    def wait_for(self, predicate, what, timeout=START_S):
        until = time.monotonic() + timeout
        while not predicate():
            for kind, process in self.daemons.items():
                if process.poll() is not None:
                    raise RuntimeError(f"ceph-{kind} ended with {process.returncode}: see {self._log(kind)}")
            if time.monotonic() > until:
                raise AssertionError(f"waited {timeout} s in vain for {what}")
            time.sleep(0.2)

    def _log(self, kind):
        with open(self._path("log", f"{kind}.out"), encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def make_pool(self, name):
        self.command("osd", "pool", "create", name)
        self.command("osd", "pool", "application", "enable", name, "ffdc")

    def make_client(self, name, caps):
        """A user and a configuration of its own; returns the configuration's path."""
        keyring = self._path(f"client.{name}.keyring")
        self._write(keyring, self.command("auth", "get-or-create", f"client.{name}", *caps))
        return self.client_conf(name, keyring)

    def client_conf(self, name, keyring):
        path = self._path(f"client.{name}.conf")
        self._write(path, f"[global]\nmon host = {self.mon_address}\nkeyring = {keyring}\n")
        return path

    def signal(self, kind, number):
        os.kill(self.daemons[kind].pid, number)

    def resume_osd(self):
        """It went on after SIGSTOP. As in a larger cluster, where others report it, the monitor calls it
        down: a placement group without a second OSD can stay "laggy", and serve nobody, until it peers anew."""
        self.signal("osd", signal.SIGCONT)
        self.command("osd", "down", "0")
        self.wait_for(lambda: self.json("osd", "stat")["num_up_osds"] == 1, "the OSD")
        self.wait_for(lambda: [s["state_name"] for s in self.json("status")["pgmap"]["pgs_by_state"]] ==
                      ["active+clean"], "all placement groups to be clean")

    def kill(self, kind):
        process = self.daemons.pop(kind)
        process.kill()
        process.wait()

    def stop(self):
        for kind in list(self.daemons):
            self.signal(kind, signal.SIGCONT)
            self.kill(kind)
