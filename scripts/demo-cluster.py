#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""demo-cluster.py BIN_DIR: three agents in network namespaces of their own, three etcd servers, one store; a
disk of one node really fails, and all three capture it under one incident. Exits 0 only if that really
happened; cleans up after itself."""

import os
import sys
import tarfile
import unittest

if len(sys.argv) != 2:
    sys.exit("usage: demo-cluster.py BIN_DIR")
if os.geteuid() != 0:
    sys.exit("demo-cluster: needs root, for namespaces and BPF programs: run 'sudo make demo-cluster'")
os.environ["FFDC_BIN"] = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))

from cluster import ClusterTest  # noqa: E402 pylint: disable=wrong-import-position


def say(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


class Demo(ClusterTest):
    def runTest(self):  # pylint: disable=invalid-name
        say("1. Three etcd servers, three agents, each in a network namespace of its own; one store")
        self.start_etcd(3)
        a, _, c = self.cluster("abc")
        print(a.ctl("node", "list").stdout)
        say("2. A disk of node a fails under a read")
        self.disks["a"].lose_and_fail()
        incident_id = self.one_incident(a, "io.error")["id"]
        self.wait_all_stored(a, incident_id, "abc")
        say("3. The incident, asked of node c")
        print(c.ctl("incident", "list").stdout)
        print(c.ctl("incident", "show", incident_id).stdout)
        say("4. Every checksum of all three captures")
        verified = c.ctl("incident", "verify", incident_id)
        print(verified.stdout)
        self.assertEqual(verified.returncode, 0)
        say("5. What all three saw, in one order of time (ffdcctl incident pull; the last lines of timeline.txt)")
        archive = os.path.join(self.folder, "incident.tar")
        pulled = c.ctl("incident", "pull", incident_id, "--output", archive)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        with tarfile.open(archive) as tar:
            lines = tar.extractfile(f"{incident_id}/timeline.txt").read().decode().splitlines()
        heads = [line for line in lines if line.startswith("#")]
        shown = [line for line in lines if not line.startswith("#") and "  kernel_log  " not in line]
        print("\n".join(heads + shown[-24:]))


result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(Demo())
sys.exit(0 if result.wasSuccessful() else 1)
